import {appendFileSync} from 'node:fs';
import Mocha from 'mocha';

export interface Ended {
  title: string;
  state: 'passed' | 'failed' | 'skipped';
  seconds: number;
  error?: string;
}

/** Mocha's reporter of the suites: one JSON line for each test into the file that MOCHA_RESULTS names, and its state on the terminal. */
export default class Reporter extends Mocha.reporters.Base {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    const file = process.env['MOCHA_RESULTS'];
    if (file === undefined) throw new Error('MOCHA_RESULTS has to name a file');
    const ended = (test: Mocha.Test | Mocha.Hook, state: Ended['state'], error?: Error): void => {
      const line: Ended = {
        title: test.titlePath().join(': '), state, seconds: (test.duration ?? 0) / 1000,
        ...(error !== undefined && {error: error.stack ?? error.message}),
      };
      appendFileSync(file, `${JSON.stringify(line)}\n`);
    };
    runner.on('pass', (test) => { ended(test, 'passed'); });
    runner.on('pending', (test) => { ended(test, 'skipped'); });
    runner.on('fail', (test, error: Error) => { ended(test, 'failed', error); });
  }
}
