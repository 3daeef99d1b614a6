import type {V1Container, V1LifecycleHandler, V1PodSpec} from '@kubernetes/client-node';
import {changesMembership} from './membership-text.ts';

/** A part of the template that changes the etcd membership by itself. */
export interface MembershipHook {
  container: string;
  where: 'preStop' | 'postStart' | 'initContainer' | 'sidecar' | 'command';
  /** The text that gave it away. */
  what: string;
}

function handlerText(handler: V1LifecycleHandler | undefined): string {
  const {httpGet, exec} = handler ?? {};
  return [...exec?.command ?? [], httpGet?.path ?? ''].join(' ');
}

function commandText(container: V1Container): string {
  return [...container.command ?? [], ...container.args ?? []].join(' ');
}

/**
 * Hooks, init containers and sidecars whose text adds, removes or promotes members. What a script inside an image does
 * cannot be seen. `etcd` is the name of the container that runs etcd.
 */
export function membershipHooks(podSpec: V1PodSpec, etcd: string): MembershipHook[] {
  const found: MembershipHook[] = [];
  const look = (container: string, where: MembershipHook['where'], text: string): void => {
    const what = changesMembership(text);
    if (what !== undefined) found.push({container, where, what});
  };
  for (const container of podSpec.containers) {
    look(container.name, 'preStop', handlerText(container.lifecycle?.preStop));
    look(container.name, 'postStart', handlerText(container.lifecycle?.postStart));
    look(container.name, container.name === etcd ? 'command' : 'sidecar', commandText(container));
  }
  for (const container of podSpec.initContainers ?? []) look(container.name, 'initContainer', commandText(container));
  return found;
}

/**
 * The pod without what changes the membership: lifecycle hooks, init containers and sidecars. The command of etcd's own
 * container is left as it is, as the launch overlay deals with that.
 */
export function withoutMembershipHooks(podSpec: V1PodSpec, etcd: string): {podSpec: V1PodSpec; differences: string[]} {
  const hooks = membershipHooks(podSpec, etcd);
  const copy = structuredClone(podSpec);
  const has = (container: string, ...where: MembershipHook['where'][]): boolean =>
    hooks.some(hook => hook.container === container && where.includes(hook.where));
  copy.containers = copy.containers.filter(({name}) => !has(name, 'sidecar'));
  if (copy.initContainers !== undefined) copy.initContainers = copy.initContainers.filter(({name}) => !has(name, 'initContainer'));
  for (const container of copy.containers) {
    if (container.lifecycle === undefined || !has(container.name, 'preStop', 'postStart')) continue;
    const {preStop, postStart, ...rest} = container.lifecycle;
    container.lifecycle = {
      ...rest,
      ...(preStop === undefined || has(container.name, 'preStop') ? {} : {preStop}),
      ...(postStart === undefined || has(container.name, 'postStart') ? {} : {postStart}),
    };
  }
  const differences = hooks.flatMap(({container, where, what}) => {
    if (where === 'command') return [];
    const part = where === 'preStop' || where === 'postStart' ? `${where} hook of container ${container}` : `${where} ${container}`;
    return [`without ${part}, which changes the membership (${what})`];
  });
  return {podSpec: copy, differences};
}
