import {pino} from 'pino';
import type {DestinationStream, Logger} from 'pino';

export type {Logger} from 'pino';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** What a line about one resource carries. */
export interface LogContext {
  namespace?: string;
  name?: string;
  run?: string;
  step?: string;
}

const secretNames = ['password', 'token', 'authorization', 'Authorization', 'privateKey', 'secret', 'tls.key', 'cookie'];

/** Paths for pino's redaction: at the top, and two levels below. Secrets have no business in a log line; this is the net under it. */
const redactedPaths = secretNames.flatMap((name) => ['', '*', '*.*'].map((prefix) => `${prefix}["${name}"]`));

/** JSON lines on standard output (or the destination): one line a decision, time in ISO 8601, level as a word. */
export function createLog(level: LogLevel, version: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: {version},
    messageKey: 'message',
    errorKey: 'error',
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: {level: (label: string) => ({level: label})},
    redact: {paths: redactedPaths, censor: '[redacted]'},
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
