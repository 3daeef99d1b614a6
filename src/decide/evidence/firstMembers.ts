import type {Observation, OrdinalView} from '../../observe/observation.ts';
import type {FencingVerdict} from './fencing.ts';

/** So many begin a cluster that is rebuilt: three can lose one, and a vote more would only have to be waited for. The others join as learners once it is loaded. */
export const firstCount = 3;

/** Whether its member could start now, by what is known of its volumes and its nodes: ready, ready with a new volume, or only once something has changed. */
function readiness({nodes}: Observation, view: OrdinalView, {processes}: FencingVerdict): number {
  const process = processes.find(({pod}) => pod === view.pod);
  if (process !== undefined && process.proven === undefined && !process.stoppable) return 2;
  const places = [view.data, view.wal].flatMap((claim) => (claim === undefined ? [] : [claim.place]));
  const cordoned = (names: readonly string[]) => names.every((name) => nodes.some((node) => node.name === name && node.unschedulable));
  if (places.some((place) => place.at === 'NotReadyNode' || (place.at === 'Node' && cordoned(place.nodes)))) return 2;
  return places.every((place) => place.at === 'Node' || place.at === 'Anywhere') ? 0 : 1;
}

/** The members that are to begin: those that can, the ones on their own disks first. undefined: all do. */
export function chooseFirst(observation: Observation, fencing: FencingVerdict): string[] | undefined {
  const {ordinals} = observation;
  if (ordinals.length <= firstCount) return undefined;
  const ranked = ordinals.map((view) => ({view, rank: readiness(observation, view, fencing)})).sort((a, b) => a.rank - b.rank || a.view.ordinal - b.view.ordinal);
  const ready = ranked.filter(({rank}) => rank < 2);
  return (ready.length > 0 ? ready : ranked).slice(0, firstCount).sort((a, b) => a.view.ordinal - b.view.ordinal).map(({view}) => view.pod);
}

/** All that may begin, as far as they are preferred: those of the plan, then the others in their order, of whom one takes the place of one that has none. */
export function inOrder(views: readonly OrdinalView[], first: readonly string[]): OrdinalView[] {
  return [...views.filter(({pod}) => first.includes(pod)), ...views.filter(({pod}) => !first.includes(pod))];
}
