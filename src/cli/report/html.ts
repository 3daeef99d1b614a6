import {escapeHtml} from './escape.ts';
import type {Report} from './model.ts';
import {keyFacts, sectionsOf, whenTitle} from './sections.ts';
import type {Section} from './sections.ts';
import {renderTimeline} from './timeline.ts';

const style = `
:root{color-scheme:light dark;--fg:#1c2330;--dim:#5d6778;--line:#d9dee7;--bg:#fff;--card:#f5f7fa;--bar:#3b73d1;--good:#1d7f46;--bad:#b3261e;--warn:#96650a;--person:#7a3fb5}
@media (prefers-color-scheme:dark){:root{--fg:#e6e9ef;--dim:#9aa5b8;--line:#323a48;--bg:#14181f;--card:#1d232d;--bar:#6c9cf0;--good:#5fcf8f;--bad:#ff8a80;--warn:#f0b95c;--person:#c79bf2}}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px;max-width:1060px;font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;color:var(--fg);background:var(--bg)}
h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:32px 0 8px}
.lead{margin:0 0 16px;color:var(--dim)}
.outcome{color:var(--dim)}.outcome.good{color:var(--good)}.outcome.bad{color:var(--bad)}.outcome.warn{color:var(--warn)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;margin:0;padding:14px 18px;background:var(--card);border-radius:8px}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;vertical-align:top;padding:5px 12px 5px 0;border-bottom:1px solid var(--line);overflow-wrap:break-word}
th{color:var(--dim);font-weight:600;white-space:nowrap}.when td:nth-child(-n+2){white-space:nowrap;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto;margin-top:8px;font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
svg .label{fill:var(--fg)}svg .took,svg .tick{fill:var(--dim)}svg .bar{fill:var(--bar)}svg .bar.open{opacity:.45}svg .grid{stroke:var(--line)}
svg .mark line{stroke:var(--dim);stroke-dasharray:3 3}svg .mark circle,svg .mark text{fill:var(--dim)}
svg .mark.loss line{stroke:var(--bad)}svg .mark.loss circle,svg .mark.loss text{fill:var(--bad)}
svg .mark.milestone line{stroke:var(--good)}svg .mark.milestone circle,svg .mark.milestone text{fill:var(--good)}
svg .mark.person line{stroke:var(--person)}svg .mark.person circle,svg .mark.person text{fill:var(--person)}
footer{margin-top:32px;color:var(--dim);font-size:13px}
@media print{body{max-width:none;padding:0}h2{break-after:avoid}tr{break-inside:avoid}}
`;

const tone: Record<string, string> = {Recovered: 'good', NotNeeded: 'good', Degraded: 'warn', Released: 'warn', Failed: 'bad'};

const cells = (tag: 'th' | 'td', row: readonly string[]) => `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;

function htmlOf({title, text = [], table, list = []}: Section): string {
  return [
    `<section><h2>${escapeHtml(title)}</h2>`, ...text.map((one) => `<p>${escapeHtml(one)}</p>`),
    ...(table === undefined || table.rows.length === 0 ? [] : [`<div class="scroll"><table${title === whenTitle ? ' class="when"' : ''}><thead>${cells('th', table.head)}</thead><tbody>${table.rows.map((row) => cells('td', row)).join('\n')}</tbody></table></div>`]),
    ...(list.length === 0 ? [] : [`<ul>${list.map((item) => `<li>${escapeHtml(item)}</li>`).join('')}</ul>`]), '</section>',
  ].join('\n');
}

/** One page that needs nothing else: no script, no font, no picture from elsewhere, and a policy that lets none in. */
export function renderHtml(report: Report): string {
  const title = `Recovery of ${report.statefulSet} in ${report.namespace}`;
  const facts = keyFacts(report).map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join('\n');
  const timeline = renderTimeline(report);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(`${title}: ${report.outcome}`)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escapeHtml(title)}: <span class="outcome ${tone[report.outcome] ?? ''}">${escapeHtml(report.outcome)}</span></h1>
<p class="lead">${escapeHtml(report.summary)}</p>
<dl>
${facts}
</dl>
${timeline === '' ? '' : `<section><h2>Timeline</h2>${timeline}</section>`}
${sectionsOf(report).map(htmlOf).join('\n')}
<footer>QuorumRecovery ${escapeHtml(report.resource)}, run ${escapeHtml(report.run)}; written ${escapeHtml(report.generatedAt)}.</footer>
</body>
</html>`;
}
