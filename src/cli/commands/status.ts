import type {QuorumRecovery} from '../../api/types.ts';
import {exit} from '../failure.ts';
import {renderObject} from '../render/objects.ts';
import {renderList, renderStatus} from '../render/status.ts';
import type {View} from '../render/status.ts';
import {listResources, theResource} from '../resources.ts';
import type {Invocation, Session, World} from '../world.ts';
import {flag, text} from '../world.ts';

const watchMs = 1_000;
/** Looks that may fail in a row before the watch ends: an API server may be away in the very disaster. */
const patience = 60;

type Found = {one: QuorumRecovery} | {many: QuorumRecovery[]; all: boolean};

async function look(invocation: Invocation, session: Session): Promise<Found> {
  const all = flag(invocation, 'all-namespaces');
  if (invocation.positionals.length > 0 && !all) return {one: await theResource(invocation, session)};
  const many = await listResources(session, all);
  const [only] = many;
  if (only !== undefined && many.length === 1 && !all) return {one: only};
  if (many.length === 0 && !all) return {one: await theResource(invocation, session)};
  return {many, all};
}

const listOf = (many: QuorumRecovery[]) => ({apiVersion: 'v1', kind: 'List', items: many});

function render(found: Found, world: World): string {
  const view: View = {paint: world.terminal.paint, width: world.terminal.width, now: world.now()};
  if ('one' in found) return renderStatus(found.one, view);
  return found.many.length === 0 ? 'There is no QuorumRecovery in any namespace.' : renderList(found.many, found.all, view);
}

export async function run(invocation: Invocation, world: World): Promise<number> {
  const {terminal} = world;
  const session = await world.session();
  const form = text(invocation, 'output');
  const first = await look(invocation, session);
  if (form !== undefined) {
    terminal.out(await renderObject('one' in first ? first.one : listOf(first.many), form));
    return exit.ok;
  }
  if (!flag(invocation, 'watch')) {
    terminal.out(render(first, world));
    return exit.ok;
  }
  let found = first;
  for (let failures = 0; ;) {
    terminal.redraw(failures === 0 ? render(found, world) : `${render(found, world)}\n\n${terminal.paint.as('yellow', `The API server has not answered for ${failures} s; this is what was seen last.`)}`);
    await world.sleep(watchMs);
    try {
      found = await look(invocation, session);
      failures = 0;
    } catch (error) {
      failures += 1;
      if (failures >= patience) throw error;
    }
  }
}
