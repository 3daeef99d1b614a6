/** Text with the places of its pieces in what it was made from. */
export interface Expanded {
  text: string;
  /**
   * Where an offset of `text` lies in the original; undefined inside of what a reference was replaced by, as nothing
   * can be put in there.
   */
  originalOffset: (offset: number) => number | undefined;
}

interface Piece {
  start: number;
  length: number;
  original: number;
  replaced: boolean;
}

/**
 * `$(VAR)` as the kubelet expands it in command, args, env and subPathExpr (k8s.io/kubernetes third_party/forked/golang/expansion):
 * `$$` is an escaped `$`; a reference that is not known stays as it is, as does a `$` before anything else.
 */
export function expandWithOffsets(original: string, lookup: (name: string) => string | undefined): Expanded {
  const pieces: Piece[] = [];
  let text = '';
  const add = (piece: string, offset: number, replaced: boolean): void => {
    pieces.push({start: text.length, length: piece.length, original: offset, replaced});
    text += piece;
  };
  let at = 0;
  while (at < original.length) {
    const dollar = original.indexOf('$', at);
    if (dollar === -1 || dollar + 1 >= original.length) {
      add(original.slice(at), at, false);
      break;
    }
    add(original.slice(at, dollar), at, false);
    const {value, length} = reference(original, dollar, lookup);
    add(value, dollar, true);
    at = dollar + length;
  }
  const end = text.length;
  return {
    text,
    originalOffset: offset => {
      if (offset === end) return original.length;
      const piece = pieces.find(({start, length}) => offset >= start && offset < start + length);
      if (piece === undefined) return undefined;
      if (!piece.replaced) return piece.original + offset - piece.start;
      return offset === piece.start ? piece.original : undefined;
    },
  };
}

function reference(text: string, dollar: number, lookup: (name: string) => string | undefined): {value: string; length: number} {
  const next = text[dollar + 1];
  if (next === '$') return {value: '$', length: 2};
  if (next !== '(') return {value: `$${next ?? ''}`, length: 2};
  const close = text.indexOf(')', dollar);
  if (close === -1) return {value: '$(', length: 2};
  const name = text.slice(dollar + 2, close);
  return {value: lookup(name) ?? `$(${name})`, length: name.length + 3};
}

export function expand(text: string, lookup: (name: string) => string | undefined): string {
  return expandWithOffsets(text, lookup).text;
}

/** The text that the kubelet expands to this one. */
export function escapeReferences(text: string): string {
  return text.replaceAll('$', '$$$$');
}
