// Tables: sorting, filtering, groups of columns, single columns, intervals, details.
for (const board of all('.board')) {
  const table = one('table.models', board);
  const heads = all('th', table.tHead);
  const order = (body, column) => {
    if (column === 'model') return body.dataset.model;
    const value = one(`tr:first-child > [data-col="${column}"]`, body).dataset.order;
    return value === undefined ? null : Number(value);
  };

  function sort(column, direction) {
    const sign = direction === 'ascending' ? 1 : -1;
    const bodies = [...table.tBodies].map((body, place) => ({ body, place, key: order(body, column) }));
    bodies.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
      const apart = typeof a.key === 'string' ? a.key.localeCompare(b.key, 'en', { numeric: true }) : a.key - b.key;
      return sign * apart || a.place - b.place;
    });
    for (const { body } of bodies) table.insertBefore(body, table.tFoot);
    for (const head of heads) head.setAttribute('aria-sort', one('button', head).dataset.sort === column ? direction : 'none');
    say(`sorted by ${column === 'model' ? 'model' : one(`thead [data-col="${column}"] button`, table).firstChild.textContent.trim()}, ${direction}`);
  }
  for (const head of heads) {
    one('button', head).addEventListener('click', (event) => {
      const best = event.currentTarget.dataset.sort === 'model' || head.hasAttribute('data-lower') ? 'ascending' : 'descending';
      const other = best === 'ascending' ? 'descending' : 'ascending';
      sort(event.currentTarget.dataset.sort, head.getAttribute('aria-sort') === best ? other : best);
    });
  }

  const filter = one('[data-filter]', board);
  const count = one('[data-count]', board);
  function narrow() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const body of table.tBodies) {
      body.hidden = !words.every((word) => body.dataset.model.toLowerCase().includes(word));
      shown += !body.hidden;
    }
    count.textContent = `${shown} of ${table.tBodies.length} models`;
  }
  filter.addEventListener('input', narrow);
  narrow();

  const toggles = all('[data-group-toggle]', board);
  const boxes = all('[data-column]', board);
  function columns() {
    const groups = new Set(toggles.filter((one) => one.getAttribute('aria-pressed') === 'true').map((one) => one.dataset.groupToggle));
    const off = new Set(boxes.filter((box) => !box.checked).map((box) => box.dataset.column));
    let last = null;
    for (const head of heads.slice(1)) {
      const shown = groups.has(head.dataset.group) && !off.has(head.dataset.col);
      for (const cell of all(`:scope > * > tr > [data-col="${head.dataset.col}"]`, table)) {
        cell.hidden = !shown;
        cell.toggleAttribute('data-edge', shown && last !== null && last !== head.dataset.group);
      }
      if (shown) last = head.dataset.group;
    }
  }
  for (const toggle of toggles) {
    toggle.addEventListener('click', () => {
      toggle.setAttribute('aria-pressed', String(toggle.getAttribute('aria-pressed') !== 'true'));
      columns();
    });
  }
  for (const box of boxes) box.addEventListener('change', columns);
  columns();

  one('[data-numbers]', board).addEventListener('click', (event) => {
    const on = table.classList.toggle('numbers');
    event.currentTarget.setAttribute('aria-pressed', String(on));
  });
  for (const button of all('button.more', table)) {
    button.addEventListener('click', () => {
      const open = button.getAttribute('aria-expanded') !== 'true';
      button.setAttribute('aria-expanded', String(open));
      document.getElementById(button.getAttribute('aria-controls')).hidden = !open;
    });
  }
}
