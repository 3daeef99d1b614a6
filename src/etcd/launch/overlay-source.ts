import type {V1PodSpec} from '@kubernetes/client-node';
import type {Resolved} from './resolve.ts';
import {resolve} from './resolve.ts';
import type {LaunchProblem, LaunchSource} from './types.ts';

/** Reads the pod that is to be changed in the place of the template that it was made from. */
export function resolveOverlay(podSpec: V1PodSpec, annotations: Readonly<Record<string, string>>, source: LaunchSource): Resolved | LaunchProblem {
  const labels = source.template.metadata?.labels;
  const metadata = {annotations: {...annotations}, ...(labels === undefined ? {} : {labels})};
  return resolve({...source, template: {metadata, spec: podSpec}});
}

export function isProblem(resolved: Resolved | LaunchProblem): resolved is LaunchProblem {
  return !resolved.ok;
}
