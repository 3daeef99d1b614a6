import {reportLimitBytes} from './report.ts';
import type {AgentReport, InspectFacts} from './report.ts';

type Shrink = (facts: InspectFacts) => void;

const keptChanges = 8;

/** What is left out of a report that is too long, in this order, until it fits. IDs, indexes and terms of the data always stay. */
const shrinks: readonly Shrink[] = [
  (facts) => {
    eachMember(facts, (member) => {
      delete member.clientURLs;
    });
  },
  (facts) => {
    for (const change of changesOf(facts)) {
      delete change.name;
      delete change.peerURLs;
    }
  },
  (facts) => {
    if ('backend' in facts && 'removed' in facts.backend) {
      facts.backend.removed = [];
    }
  },
  (facts) => {
    const changes = changesOf(facts);
    if (facts.data === 'Present' && changes.length > keptChanges) {
      facts.pendingConfChangesOmitted = changes.length - keptChanges;
      changes.length = keptChanges;
    }
  },
  (facts) => {
    if (facts.data === 'Unreadable') {
      facts.corrupt = clip(facts.corrupt);
    }
  },
  (facts) => {
    eachMember(facts, (member) => {
      member.peerURLs = [];
    });
  },
  (facts) => {
    eachMember(facts, (member) => {
      member.name = '';
    });
  },
];

/** One line of JSON of at most reportLimitBytes bytes. */
export function fitReport(report: AgentReport): string {
  const whole = JSON.stringify(report);
  if (Buffer.byteLength(whole) <= reportLimitBytes) {
    return whole;
  }
  const copy = structuredClone(report);
  copy.truncated = true;
  if (!copy.ok) {
    copy.message = clip(copy.message);
  }
  const facts = factsOf(copy);
  for (const shrink of facts === undefined ? [] : shrinks) {
    if (Buffer.byteLength(JSON.stringify(copy)) <= reportLimitBytes) {
      break;
    }
    shrink(facts as InspectFacts);
  }
  if (Buffer.byteLength(JSON.stringify(copy)) > reportLimitBytes) {
    shortenTail(copy);
    shortenStore(copy);
  }
  const shorter = JSON.stringify(copy);
  return Buffer.byteLength(shorter) <= reportLimitBytes ? shorter : JSON.stringify(lastResort(copy));
}

/** Of a store the newest snapshots are what counts, and of those that were not taken the first ones. */
function shortenStore(report: AgentReport): void {
  const list = report.ok && report.command === 'store-list' ? report.snapshots
    : report.ok && report.command === 'store-fetch' ? report.refused
      : !report.ok ? report.refused : undefined;
  if (list !== undefined) while (list.length > 0 && Buffer.byteLength(JSON.stringify(report)) > reportLimitBytes) list.pop();
  if (report.ok && report.command === 'store-save') report.removed = report.removed.slice(-keptChanges);
}

/** How many entries were committed stays; which of them changed the configuration, the data itself tells. */
function shortenTail(report: AgentReport): void {
  if (report.ok && report.command === 'prepare-force' && report.tail?.confChanges !== undefined) {
    report.tail.confChangesOmitted = (report.tail.confChangesOmitted ?? 0) + report.tail.confChanges.length;
    delete report.tail.confChanges;
  }
}

function factsOf(report: AgentReport): InspectFacts | undefined {
  if (!report.ok) {
    return report.inspect;
  }
  if (report.command === 'inspect') {
    return report;
  }
  return report.command === 'prepare-force' ? report.inspect : undefined;
}

/** A report that nothing makes short enough, such as one of a hundred set-aside directories: what it did stays done, the list goes. */
function lastResort(report: AgentReport): AgentReport {
  if (report.ok && (report.command === 'set-aside' || report.command === 'prepare-join')) {
    return {...report, moved: report.moved.slice(-keptChanges)};
  }
  if (report.ok && report.command === 'prune') {
    return {...report, runs: report.runs.slice(0, keptChanges).map(({run, files, bytes, already}) => ({run, files, bytes, already}))};
  }
  return {
    ok: false,
    command: report.command,
    reason: 'Internal',
    message: 'The report is longer than a termination message may be, whatever is left out of it.',
    truncated: true,
  };
}

function eachMember(facts: InspectFacts, change: (member: Member) => void): void {
  if ('backend' in facts && 'members' in facts.backend) {
    facts.backend.members.forEach(change);
  }
}

interface Member {
  name: string;
  peerURLs: string[];
  clientURLs?: string[];
}

function changesOf(facts: InspectFacts): {name?: string; peerURLs?: string[]}[] {
  return facts.data === 'Present' ? facts.pendingConfChanges : [];
}

function clip(text: string): string {
  return text.length <= 800 ? text : `${text.slice(0, 799)}…`;
}
