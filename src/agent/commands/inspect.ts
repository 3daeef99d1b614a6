import type {Arguments} from '../arguments.ts';
import {inspectData} from '../facts.ts';
import {locateData} from '../place.ts';
import type {InspectReport} from '../report.ts';

/** Says what is on the volume, and changes nothing: the volume may be mounted read-only. */
export function inspect(args: Arguments): InspectReport {
  return {ok: true, command: 'inspect', run: args.run, ...inspectData(locateData(args)).facts};
}
