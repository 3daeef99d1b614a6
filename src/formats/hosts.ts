/** The host of `[name=][scheme://]host[:port][/path]`, in lower case. */
function hostOf(entry: string): string {
  const [, address = ''] = /^(?:[^=/]*=)?(?:[a-z][a-z0-9+.-]*:\/\/)?([^/]*)/i.exec(entry) ?? [];
  const bracketed = /^\[([^\]]*)\]/.exec(address)?.[1];
  return (bracketed ?? address.replace(/:\d+$/, '')).replace(/\.$/, '').toLowerCase();
}

/** The hosts that texts name, each once. */
export const hostsIn = (texts: readonly string[]): string[] =>
  [...new Set(texts.flatMap((text) => text.split(/[\s,;]+/)).filter((entry) => entry !== '').map(hostOf))];
