import {writeFileSync} from 'node:fs';
import type {QuorumRecovery} from '../../api/types.ts';
import {isForbiddenError} from '../explain.ts';
import {CommandError, exit} from '../failure.ts';
import {reportOf, runIDs} from '../report/model.ts';
import type {RecordedEvent, Report} from '../report/model.ts';
import {readable} from '../render/paint.ts';
import {nameOf, namespaceOf, theResource} from '../resources.ts';
import type {Invocation, Session, World} from '../world.ts';
import {text} from '../world.ts';

/** Events of the resource; undefined: they may not be read. */
async function eventsOf({api}: Session, resource: QuorumRecovery): Promise<RecordedEvent[] | undefined> {
  try {
    const found = await api.list('Event', namespaceOf(resource), {fieldSelector: `regarding.kind=QuorumRecovery,regarding.name=${nameOf(resource)}`});
    return readable(found).flatMap((event) => {
      // null in events of the older API, whatever client-node's type says.
      const at = (event.eventTime as unknown as string | null) ?? event.deprecatedFirstTimestamp;
      return at === undefined ? [] : [{at: new Date(String(at)).toISOString(), reason: event.reason ?? '', note: event.note ?? ''}];
    });
  } catch (error) {
    if (isForbiddenError(error)) return undefined;
    throw error;
  }
}

async function render(report: Report, form: string): Promise<string> {
  switch (form) {
    case 'json': return JSON.stringify(report, undefined, 2);
    case 'html': return (await import('../report/html.ts')).renderHtml(report);
    default: return (await import('../report/markdown.ts')).renderMarkdown(report);
  }
}

export async function run(invocation: Invocation, world: World): Promise<number> {
  const {terminal} = world;
  const session = await world.session();
  const resource = await theResource(invocation, session);
  const id = text(invocation, 'run');
  const report = reportOf(resource, await eventsOf(session, resource), world.now(), id);
  if (report === undefined) {
    const known = runIDs(resource);
    throw new CommandError(`${nameOf(resource)} ${id === undefined ? 'had no run yet' : `knows no run ${id}`}${known.length === 0 ? '' : `: it has ${known.join(', ')}`}`);
  }
  const written = await render(report, text(invocation, 'output') ?? 'markdown');
  const file = text(invocation, 'file');
  if (file === undefined) {
    terminal.out(written);
    return exit.ok;
  }
  writeFileSync(file, `${written}\n`);
  terminal.err(`The report of ${report.run} is in ${file}.`);
  return exit.ok;
}
