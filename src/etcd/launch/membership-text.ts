const patterns = [
  /\bmember['",\s\]]+(?:remove|add|update|promote)\b[^\n]*/,
  /\/v3(?:alpha|beta)?\/cluster\/member\/(?:add|remove|update|promote)[^\n]*/,
  /(?:DELETE|POST|PUT)\b[^\n]*\/v2\/members\b[^\n]*/,
  /\/v2\/members\b[^\n]*(?:DELETE|POST|PUT)\b[^\n]*/,
];

/** The part of a command or script that changes an etcd membership, as far as its text tells; else undefined. */
export function changesMembership(text: string): string | undefined {
  for (const pattern of patterns) {
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) return found.trim().slice(0, 120);
  }
  return undefined;
}
