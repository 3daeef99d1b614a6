/** One query of a panel. */
export interface Query {
  expr: string;
  legend?: string;
  /** The value of now, as rows of a table. */
  table?: true;
}

export interface Panel {
  type: 'stat' | 'timeseries' | 'state-timeline' | 'table' | 'bargauge';
  title: string;
  description?: string;
  /** Of the 24 columns. */
  width: number;
  /** In rows of 30 pixels. */
  height: number;
  queries: Query[];
  defaults?: object;
  overrides?: object[];
  transformations?: object[];
  options?: object;
}

/** Panels below a title. */
export type Section = readonly [title: string, panels: readonly Panel[]];

/** A column of a table; without a name only the query's labels are shown. */
export interface Column {
  name?: string;
  expr: string;
  unit?: string;
}

const datasource = {type: 'prometheus', uid: '${datasource}'};

const refID = (index: number): string => String.fromCharCode(65 + index);

/** Several instant queries as the columns of one table, a row for each resource. */
export function table(title: string, columns: readonly Column[], height: number): Panel {
  const valueOf = (index: number) => `Value #${refID(index)}`;
  const unnamed = columns.flatMap(({name}, index) => (name === undefined ? [valueOf(index)] : []));
  return {
    type: 'table', title, width: 24, height, queries: columns.map(({expr}) => ({expr, table: true})),
    transformations: [
      {id: 'merge', options: {}},
      {id: 'organize', options: {
        excludeByName: Object.fromEntries(['Time', ...unnamed].map((name) => [name, true])),
        renameByName: {
          namespace: 'Namespace', name: 'Name', outcome: 'Outcome',
          ...Object.fromEntries(columns.flatMap(({name}, index) => (name === undefined ? [] : [[valueOf(index), name]]))),
        },
      }},
    ],
    overrides: columns.flatMap(({name, unit}) => (unit === undefined ? [] : [{matcher: {id: 'byName', options: name}, properties: [{id: 'unit', value: unit}]}])),
  };
}

function panelJSON({type, title, description, width, height, queries, defaults = {}, overrides = [], transformations = [], options = {}}: Panel, id: number, x: number, y: number): object {
  return {
    id, type, title, ...(description !== undefined && {description}), datasource, gridPos: {x, y, w: width, h: height},
    targets: queries.map(({expr, legend, table: asTable}, index) => ({
      refId: refID(index), datasource, expr, ...(legend !== undefined && {legendFormat: legend}),
      ...(asTable === true ? {format: 'table', instant: true} : {instant: type === 'bargauge', range: type !== 'bargauge'}),
    })),
    fieldConfig: {defaults, overrides}, options: type === 'bargauge' ? {orientation: 'horizontal', displayMode: 'basic', ...options} : options, transformations,
  };
}

/** The panels of a dashboard, from left to right, each section below a title of its own. */
export function layout(sections: readonly Section[]): object[] {
  const placed: object[] = [];
  let y = 0;
  for (const [title, panels] of sections) {
    placed.push({id: placed.length + 1, type: 'row', title, collapsed: false, panels: [], gridPos: {x: 0, y, w: 24, h: 1}});
    y += 1;
    let x = 0;
    let lineHeight = 0;
    for (const panel of panels) {
      if (x + panel.width > 24) {
        y += lineHeight;
        [x, lineHeight] = [0, 0];
      }
      placed.push(panelJSON(panel, placed.length + 1, x, y));
      x += panel.width;
      lineHeight = Math.max(lineHeight, panel.height);
    }
    y += lineHeight;
  }
  return placed;
}

/** A variable that a person chooses values of; everything at first. */
export const chosen = (name: string, label: string, query: string): object => ({
  type: 'query', name, label, datasource, query: {query, refId: name}, definition: query, refresh: 2, sort: 1, includeAll: true, allValue: '.*', multi: true,
  current: {selected: true, text: ['All'], value: ['$__all']},
});
