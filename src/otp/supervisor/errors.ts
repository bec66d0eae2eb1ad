import { ReplyError } from '../process/errors.ts';

/** What a supervisor refuses; it lives on. */
export class SupervisorError extends ReplyError {
  readonly code:
    | 'not-found'
    | 'running'
    | 'restarting'
    | 'already-started'
    | 'already-present'
    | 'max-children'
    | 'bad-spec';
  constructor(code: SupervisorError['code'], message: string) {
    super(message);
    this.code = code;
  }
}
