#!/usr/bin/env node
import {runCli} from './run.ts';

// Set, not called: what is still to be written to a pipe is written.
process.exitCode = await runCli(process.argv.slice(2));
