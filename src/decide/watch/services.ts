import type {V1PodTemplateSpec, V1Service, V1StatefulSet} from '@kubernetes/client-node';
import {clientAddress} from '../../observe/address.ts';
import {isLaunch} from '../../observe/observation.ts';
import type {Observation} from '../../observe/observation.ts';
import {knownNames, selects} from '../../observe/services.ts';
import {isReady} from './suspicion.ts';

type Labels = Record<string, string>;

const nameOf = ({metadata}: V1Service | V1StatefulSet): string => metadata?.name ?? '';
const inWords = (labels: Labels): string => Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(',');

/** Where a port of a Service leads to in the pods; undefined: it is called by a name that no container has. */
function targetOf(template: V1PodTemplateSpec, {port, targetPort}: {port: number; targetPort?: number | string}): number | undefined {
  if (typeof targetPort !== 'string') return targetPort ?? port;
  if (/^[0-9]+$/.test(targetPort)) return Number(targetPort);
  return declared(template).find(({name}) => name === targetPort)?.containerPort;
}

const declared = ({spec}: V1PodTemplateSpec) => [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].flatMap(({ports}) => ports ?? []);

/** A port for clients that leads to where etcd does not serve them. What a container declares may be somebody's proxy; other ports are nobody's business here. */
function wrongPort(service: V1Service, template: V1PodTemplateSpec, clientPort: number): string | undefined {
  if (service.spec?.clusterIP === 'None') return undefined;
  for (const port of service.spec?.ports ?? []) {
    const target = targetOf(template, port);
    if (!(port.port === clientPort || /client/.test(port.name ?? ''))) continue;
    if (target === undefined) return `port ${port.port} of Service ${nameOf(service)} leads to a port named ${String(port.targetPort)}, and no container of the template has one of that name`;
    if (target !== clientPort && !declared(template).some(({containerPort}) => containerPort === target)) {
      return `port ${port.port} of Service ${nameOf(service)} leads to port ${target} of the pods, and etcd serves its clients on ${clientPort}`;
    }
  }
  return undefined;
}

export interface Astray {
  service: string;
  words: string;
  /** It may be over soon by itself, as that no pod is Ready. */
  passing?: true;
}

function astray(observation: Observation, service: V1Service): Omit<Astray, 'service'> | undefined {
  const {ordinals, set} = observation;
  const {selector, type, publishNotReadyAddresses} = service.spec ?? {};
  const template = set?.spec?.template;
  // What has no selector is led by somebody else.
  if (set === undefined || template === undefined || type === 'ExternalName' || selector === undefined || Object.keys(selector).length === 0) return undefined;
  const labels = template.metadata?.labels ?? {};
  const selected = ordinals.filter(({object}) => object !== undefined && selects(selector, {...labels, ...object.metadata?.labels}));
  if (selected.length === 0 && !selects(selector, labels)) {
    const words = `Service ${nameOf(service)} selects ${inWords(selector)}, and the pods of StatefulSet ${nameOf(set)} have ${inWords(labels)}: it leads to none of them`;
    // Other pods that are Ready behind it are there on purpose.
    return knownNames(observation).has(nameOf(service)) && !observation.elsewhere.includes(nameOf(service)) ? {words} : undefined;
  }
  const [launch] = ordinals.flatMap((view) => (isLaunch(view.launch) ? [view.launch] : []));
  const port = launch === undefined ? undefined : wrongPort(service, template, clientAddress(launch).port);
  if (port !== undefined) return {words: port};
  if (publishNotReadyAddresses === true || selected.some((view) => isReady(observation, view))) return undefined;
  return {passing: true, words: `Service ${nameOf(service)} leads to no pod, as none is Ready although their etcd answers: look at the readiness probe`};
}

/** Services of this cluster that lead its clients nowhere, each with why. Only where every member serves: else the members are what is wrong. */
export const servicesAstray = (observation: Observation): Astray[] => observation.services.flatMap((service) => {
  const found = astray(observation, service);
  return found === undefined ? [] : [{service: nameOf(service), ...found}];
});
