// Single examples: which model said what, filtered by right and wrong, and the flips between two models.
const views = data.examples;
if (views.length) {
  const PAGE = 25;
  const pick = (id) => document.getElementById(`example-${id}`);
  const lists = { section: pick('section'), task: pick('task'), a: pick('a'), b: pick('b'), filter: pick('filter') };
  const search = pick('search'), table = pick('table'), more = pick('more');
  let limit = PAGE;

  const id = (view, at) => data.texts[view.ids[at]];
  const texts = (view, at) => view.texts[at].map((index) => data.texts[index]);
  const fill = (list, options, chosen) => {
    list.replaceChildren(...options.map(([value, text]) => make('option', { value }, text)));
    if (options.some(([value]) => value === chosen)) list.value = chosen;
  };
  const part = (view) => `${view.task}${view.split === 'dev' ? '' : `, ${view.split}`}`;
  const inSection = () => views.filter((view) => view.section === lists.section.value);
  const current = () => inSection()[Number(lists.task.value)];

  function tasksChanged(keep) {
    const known = inSection().map((view, index) => [String(index), part(view)]);
    const before = keep && known.find(([, text]) => text === keep);
    fill(lists.task, known, before ? before[0] : '0');
    modelsChanged();
  }
  function modelsChanged() {
    const names = current().models.map((model, index) => [String(index), model.label]);
    const [a, b] = [lists.a, lists.b].map((list) => list.selectedOptions[0]?.textContent);
    const at = (name, fallback) => (names.find(([, text]) => text === name) || names[Math.min(fallback, names.length - 1)])[0];
    fill(lists.a, names, at(a, 0));
    fill(lists.b, names, at(b, 1));
    for (const option of lists.filter.options) option.disabled = !current().is_right && !['all', 'differ'].includes(option.value);
    if (lists.filter.selectedOptions[0].disabled) lists.filter.value = 'all';
    limit = PAGE;
    show();
  }

  const named = (view, value) => (Number.isInteger(value) && view.labels[value] !== undefined ? view.labels[value] : String(value));

  // How many of all examples the filter keeps, where that can be known without them.
  function total(view, a, b) {
    const [one, other] = [view.models[a], view.models[b]];
    switch (lists.filter.value) {
      case 'all': return view.n;
      case 'right': return one.right;
      case 'wrong': return view.n - one.right;
      case 'lost': return view.lost[a][b];
      case 'won': return view.lost[b][a];
      default: return other === one ? 0 : null;
    }
  }

  function kept(view, a, b, at) {
    const right = (model) => view.is_right[model][at] === '1';
    switch (lists.filter.value) {
      case 'right': return right(a);
      case 'wrong': return !right(a);
      case 'lost': return right(a) && !right(b);
      case 'won': return !right(a) && right(b);
      case 'differ': return view.said[a][at] !== view.said[b][at];
      default: return true;
    }
  }

  function verdict(view, model, at) {
    if (!view.is_right) return [];
    const right = view.is_right[model][at] === '1';
    return [make('span', { class: `mark ${right ? 'right' : 'wrong'}` }, right ? '✓ ' : '✗ '), make('span', { class: 'unseen' }, right ? 'right: ' : 'wrong: ')];
  }

  // An image or a sound in small. Both are data of the page: the policy lets nothing be loaded.
  function item(number, label) {
    if (number === null) return [];
    const [kind, src] = data.shown[number];
    return [kind === 'audio' ? make('audio', { class: 'item', controls: '', preload: 'none', src, 'aria-label': label }) : make('img', { class: 'item', src, alt: label })];
  }

  // What a model put first where it is not the right one: an item for the caption, a caption for the item.
  function retrieved(view, model, at) {
    const found = view.retrieved?.[model]?.[at];
    if (!found) return [];
    const [own, itemOther, itemSimilarity, captionOther, captionSimilarity] = found;
    const lines = [];
    const line = (what, other, similarity, name) => {
      if (other === null) return;
      const [identifier, label, caption, number] = view.others[other];
      const text = data.texts[name === 'item' ? label : caption] || data.texts[identifier];
      lines.push(make('div', { class: 'retrieved' }, make('span', { class: 'field-name' }, `${what}, ${similarity} where this pair has ${own} `),
        ...(name === 'item' ? item(number, text) : []), make('bdi', {}, text)));
    };
    line('first for the caption', itemOther, itemSimilarity, 'item');
    line('first for the item', captionOther, captionSimilarity, 'caption');
    return lines;
  }

  function row(view, a, b, at) {
    const text = make('td', { class: 'text' });
    texts(view, at).forEach((value, index) => {
      const line = make('div', {});
      if (view.fields.length > 1) line.append(make('span', { class: 'field-name' }, `${view.fields[index]} `));
      line.append(...item(view.shown[at]?.[index] ?? null, value), make('bdi', {}, value));
      text.append(line);
    });
    if (!view.texts[at].length) text.append(make('span', { class: 'muted' }, '–'));
    const gold = view.retrieved ? [] : [make('td', { 'data-title': 'gold' }, make('bdi', {}, view.gold === null ? '–' : named(view, view.gold[at])))];
    const models = a === b ? [a] : [a, b];
    return make('tr', {}, make('th', { scope: 'row' }, make('code', {}, id(view, at))), text, ...gold,
      ...models.map((model) => make('td', { 'data-title': view.models[model].label }, ...verdict(view, model, at), make('bdi', {}, named(view, view.said[model][at])), ...retrieved(view, model, at))));
  }

  function show() {
    const view = current();
    const [a, b] = [Number(lists.a.value), Number(lists.b.value)];
    const words = search.value.toLowerCase().trim();
    const found = view.ids.map((_, at) => at).filter((at) => kept(view, a, b, at)
      && (!words || [id(view, at), ...texts(view, at)].some((text) => text.toLowerCase().includes(words))));
    const models = a === b ? [a] : [a, b];
    table.tHead.replaceChildren(make('tr', {}, ...['example', ...(view.retrieved ? ['a right pair'] : [view.fields.length === 1 ? view.fields[0] : 'text', 'gold']), ...models.map((model) => view.models[model].label)]
      .map((name) => make('th', { scope: 'col' }, name))));
    table.tBodies[0].replaceChildren(...found.slice(0, limit).map((at) => row(view, a, b, at)));
    more.hidden = found.length <= limit;
    const all = total(view, a, b);
    const what = words ? ' that match' : '';
    const of = words || all === null ? `${found.length} here${what}` : `${Math.min(found.length, limit)} shown of ${all}`;
    document.getElementById('example-count').textContent = lists.filter.value === 'all' || !view.is_right ? `${of} examples` : `${of} (${lists.filter.selectedOptions[0].textContent})`;
    const notes = [];
    if (view.ids.length < view.n) notes.push(`This page holds ${view.ids.length} of ${view.n} examples, those that models differ on or have wrong first; counts are over all.`);
    if (view.no_texts) notes.push(`${view.no_texts}.`);
    if (view.not_shown) notes.push(`${view.not_shown}.`);
    const silent = (view.retrieved || []).flatMap((of, model) => (of === null && models.includes(model) ? [view.models[model].label] : []));
    if (silent.length) notes.push(`What ${silent.join(' and ')} put first is not in the record, which is older and holds ranks alone; score again to see it.`);
    if (view.retrieved) notes.push('A pair is right where its item is the first for its caption.');
    if (!view.is_right) notes.push('Predictions of this task are not right or wrong, so that there are no flips.');
    if (view.left_out) notes.push(`The ${view.models.length} first models of the table; ${view.left_out} more are not here.`);
    notes.push(`Predictions of seed ${[...new Set(models.map((model) => view.models[model].seed))].join(' and ')}. Long texts are cut.`);
    document.getElementById('example-note').textContent = notes.join(' ');
  }

  const sections = [...new Map(views.map((view) => [view.section, view.title]))];
  fill(lists.section, sections);
  if (sections.length === 1) lists.section.closest('label').hidden = true;
  lists.section.addEventListener('change', () => tasksChanged(lists.task.selectedOptions[0]?.textContent));
  lists.task.addEventListener('change', modelsChanged);
  for (const list of [lists.a, lists.b, lists.filter]) list.addEventListener('change', () => { limit = PAGE; show(); });
  search.addEventListener('input', () => { limit = PAGE; show(); });
  more.addEventListener('click', () => { limit += PAGE; show(); });
  tasksChanged();
}

// Last, so that everything is in its place: the view the address names, or the first.
select(named() || tabs[0]);
