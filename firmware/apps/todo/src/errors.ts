import { ReplyError } from 'hearthfw';

/** The disk took no more. Nothing of what was asked is stored. */
export class DiskFullError extends ReplyError {}

/** A list has so many entries on their way to the disk that it takes no more for now. Nothing is stored. */
export class ListBusyError extends ReplyError {}
