/**
 * What only the cluster or a running shell can tell stands as `<what>` in resolved settings: `<status.podIP>` can be
 * filled in by who knows the address.
 */
export const podIPPlaceholder = '<status.podIP>';

export function placeholder(what: string): string {
  return `<${what.replaceAll(/[<>]/g, '')}>`;
}

/** The first thing in a resolved text that could not be resolved; the pod's address counts as resolved. */
export function unresolvedIn(text: string): string | undefined {
  return /<[^<>]*>|\$\([A-Za-z_.-][\w.-]*\)/.exec(text.replaceAll(podIPPlaceholder, ''))?.[0];
}
