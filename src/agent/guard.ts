import {closeSync, constants, openSync, readSync} from 'node:fs';

const firstLine = 'quorumrecovery.io/guard v1';
const blockLine = 'quorumrecovery.io/block v1';
const headBytes = 256;

/** Text of the file that takes the place of the member directory: any etcd exits on it, and a person reads what to do. */
export function guardText(run: string, movedTo: readonly string[]): string {
  const back = movedTo.length === 0
    ? ['No data was here when it was written.']
    : [
      'The data that was here was set aside, not deleted. Below the root of its volume it is now at:',
      ...movedTo.map((path) => `  ${path}`),
      'To have it back: make sure that no recovery is in flight and that this member must run on its old data, then delete this file and',
      'move that directory here under the name of this file. A separate WAL directory goes back to its own place in the same way.',
    ];
  return `${[
    firstLine,
    `run: ${run}`,
    '',
    'The Quorum Recovery Operator put this file in the place of the etcd member directory, so that no etcd can start here on an empty',
    'directory and form a new cluster beside the recovered one. The operator removes it when it is this member\'s turn to join.',
    '',
    ...back,
  ].join('\n')}\n`;
}

/** Text of the file that keeps etcd from starting while directories are being renamed. */
export function blockText(run: string): string {
  return `${[
    blockLine,
    `run: ${run}`,
    '',
    'The Quorum Recovery Operator is setting this member\'s data aside, or putting a copy of it back. While a file of this name stands in',
    'a data directory, etcd does not start there. The operator removes it when it is done, also after a crash: start the same again.',
  ].join('\n')}\n`;
}

/** The run that wrote a guard file; undefined for any other file. */
export function readGuard(path: string): {run: string} | undefined {
  return readMarked(path, firstLine);
}

export function readBlock(path: string): {run: string} | undefined {
  return readMarked(path, blockLine);
}

function readMarked(path: string, line: string): {run: string} | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const head = Buffer.alloc(headBytes);
    const count = readSync(fd, head, 0, headBytes, 0);
    const [first, second] = head.subarray(0, count).toString('utf8').split('\n');
    return first === line ? {run: second?.replace(/^run: /, '') ?? ''} : undefined;
  } finally {
    closeSync(fd);
  }
}
