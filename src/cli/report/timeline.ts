import {duration} from '../render/text.ts';
import {escapeHtml} from './escape.ts';
import type {Moment, Report} from './model.ts';

const width = 960;
const left = 150;
const right = 20;
const rowHeight = 26;
const top = 46;

const steps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 86_400];

/** About eight marks on a scale of so many seconds, at round numbers. */
export function ticks(seconds: number): number[] {
  const step = steps.find((one) => seconds / one <= 9) ?? Math.ceil(seconds / 9);
  return Array.from({length: Math.floor(seconds / step) + 1}, (_, index) => index * step);
}

interface Scale {
  begin: number;
  seconds: number;
  x: (at: string) => number;
}

function scaleOf(moments: readonly Moment[]): Scale {
  const times = moments.flatMap(({at, until}) => [Date.parse(at), ...(until === undefined ? [] : [Date.parse(until)])]);
  const begin = Math.min(...times);
  const seconds = Math.max(1, (Math.max(...times) - begin) / 1000);
  return {begin, seconds, x: (at) => left + ((Date.parse(at) - begin) / 1000 / seconds) * (width - left - right)};
}

/** Seconds since the beginning: `0.5 s`, `45 s`, then `1:30 min`, then `2:05 h`. */
export function clock(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds * 10) / 10} s`;
  const [unit, size] = seconds < 3_600 ? ['min', 60] as const : ['h', 3_600] as const;
  const parts = Math.round(seconds / (size / 60));
  return `${Math.floor(parts / 60)}:${String(parts % 60).padStart(2, '0')} ${unit}`;
}

const number = (value: number) => String(Math.round(value * 10) / 10);

function bar({at, until, title}: Moment, row: number, {x}: Scale): string {
  const y = top + row * rowHeight;
  const from = x(at);
  const to = until === undefined ? width - right : x(until);
  const length = until === undefined ? 'goes on' : duration(Date.parse(until) - Date.parse(at));
  const beside = to + 80 > width - right ? `<text class="took" x="${number(from - 5)}" y="${y + 15}" text-anchor="end">${length}</text>` : `<text class="took" x="${number(to + 5)}" y="${y + 15}">${length}</text>`;
  return `<g><title>${escapeHtml(`${title}: ${at}, ${length}`)}</title><text class="label" x="${left - 8}" y="${y + 15}" text-anchor="end">${escapeHtml(title)}</text>`
    + `<rect class="bar${until === undefined ? ' open' : ''}" x="${number(from)}" y="${y + 3}" width="${number(Math.max(2, to - from))}" height="${rowHeight - 8}" rx="3"/>${beside}</g>`;
}

/** A line through all rows, its name on a row of its own below the bars, so that two that are close can both be read. */
function mark({at, title, kind}: Moment, index: number, bottom: number, {x, begin}: Scale): string {
  const at_ = number(x(at));
  const y = bottom + 18 + index * 18;
  const since = clock((Date.parse(at) - begin) / 1000);
  const toTheLeft = x(at) > width * 0.6;
  return `<g class="mark ${kind}"><title>${escapeHtml(`${title}: ${at}`)}</title><line x1="${at_}" x2="${at_}" y1="${top - 6}" y2="${y - 5}"/><circle cx="${at_}" cy="${y - 5}" r="3.5"/>`
    + `<text x="${number(x(at) + (toTheLeft ? -8 : 8))}" y="${y - 1}"${toTheLeft ? ' text-anchor="end"' : ''}>${escapeHtml(title)} (${since})</text></g>`;
}

/** The run as a picture: a bar for each phase, a line for what people and clients noticed. Empty where there is nothing to draw. */
export function renderTimeline({moments}: Report): string {
  const bars = moments.filter(({kind}) => kind === 'phase');
  const marks = moments.filter(({kind}) => kind === 'loss' || kind === 'person' || kind === 'milestone' || kind === 'run');
  if (bars.length === 0) return '';
  const scale = scaleOf([...bars, ...marks]);
  const bottom = top + bars.length * rowHeight + 4;
  const height = bottom + marks.length * 18 + 16;
  const axis = ticks(scale.seconds).map((second) => {
    const x = number(left + (second / scale.seconds) * (width - left - right));
    return `<line class="grid" x1="${x}" x2="${x}" y1="${top - 8}" y2="${bottom}"/><text class="tick" x="${x}" y="${top - 14}" text-anchor="middle">${second === 0 ? '0' : clock(second)}</text>`;
  }).join('');
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="Timeline of the run" xmlns="http://www.w3.org/2000/svg">`
    + `${axis}${bars.map((moment, row) => bar(moment, row, scale)).join('')}${marks.map((moment, index) => mark(moment, index, bottom, scale)).join('')}</svg>`;
}
