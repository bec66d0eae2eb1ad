import { OverloadError, onReport, Server, start } from 'hearthfw';

onReport((report) => {
  if (report.kind === 'long-mailbox') console.log(report.long ? 'too much' : 'better');
});

class Writer extends Server {
  async write(_line: string): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

const writer = await start(Writer, { mailboxLimit: 10 });
try {
  for (;;) writer.cast('write', 'a line');
} catch (error) {
  console.log(error instanceof OverloadError && error.limit);
}
while ((writer.find()?.mailboxLength ?? 0) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
await writer.call('write', 'there is room again');
