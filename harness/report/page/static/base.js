// Helpers, colours, tabs and tooltips. All text goes in by textContent: nothing of the data is ever read as markup.
const SVG = 'http://www.w3.org/2000/svg';
const data = JSON.parse(document.getElementById('data').textContent);
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const say = (text) => { document.getElementById('said').textContent = text; };

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function draw(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function kept(key, value) {
  try {
    if (value === undefined) return localStorage.getItem(key);
    localStorage.setItem(key, value);
  } catch { /* pages from a file may have no storage */ }
  return null;
}

// Colours: the system's, unless a reader chooses.
function setTheme(choice) {
  if (choice === 'auto') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.setAttribute('data-theme', choice);
  for (const button of all('[data-theme-choice]')) button.setAttribute('aria-pressed', String(button.dataset.themeChoice === choice));
}
const themes = all('[data-theme-choice]').map((button) => button.dataset.themeChoice);
const remembered = kept('harness-theme');
setTheme(themes.includes(remembered) ? remembered : 'auto');
for (const button of all('[data-theme-choice]')) {
  button.addEventListener('click', () => { setTheme(button.dataset.themeChoice); kept('harness-theme', button.dataset.themeChoice); });
}

// Tabs, by the pattern of the ARIA Authoring Practices: arrows move, Home and End jump.
const tabs = all('[role="tab"]');
const panels = tabs.map((tab) => document.getElementById(tab.getAttribute('aria-controls')));
function select(chosen, focus = false) {
  tabs.forEach((tab, index) => {
    const on = tab === chosen;
    tab.setAttribute('aria-selected', String(on));
    tab.tabIndex = on ? 0 : -1;
    panels[index].hidden = !on;
  });
  if (focus) chosen.focus();
  chosen.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}
const named = () => tabs.find((tab) => tab.getAttribute('href') === location.hash);
tabs.forEach((tab, index) => {
  const open = () => { select(tab, true); history.replaceState(null, '', tab.getAttribute('href')); };
  tab.addEventListener('click', (event) => { event.preventDefault(); open(); window.scrollTo(0, 0); });
  tab.addEventListener('keydown', (event) => {
    const steps = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: tabs.length - 1 };
    if (event.key === ' ') { event.preventDefault(); open(); }
    if (!(event.key in steps)) return;
    event.preventDefault();
    tabs[(steps[event.key] + tabs.length) % tabs.length].click();
  });
});
window.addEventListener('hashchange', () => { if (named()) select(named()); });

// Several tables: one at a time, the same in every view.
for (const element of all('[data-needs-script]')) element.hidden = false;
const choosers = all('[data-choose-table]');
function chooseTable(key) {
  for (const element of all('[data-of-table]')) element.hidden = Boolean(key) && element.dataset.ofTable !== key;
  for (const chooser of choosers) chooser.value = key;
}
for (const chooser of choosers) chooser.addEventListener('change', () => chooseTable(chooser.value));
if (choosers.length) chooseTable(choosers[0].value);

// One tooltip for whatever has data-tip: by pointer or focus, gone by Escape.
const tip = document.getElementById('tip');
let tipped = null;
function showTip(element) {
  if (tipped) hideTip();
  tipped = element;
  tip.textContent = element.getAttribute('data-tip');
  tip.hidden = false;
  element.setAttribute('aria-describedby', 'tip');
  const box = element.getBoundingClientRect();
  const width = tip.offsetWidth, height = tip.offsetHeight;
  const left = Math.min(Math.max(4, box.left + box.width / 2 - width / 2), document.documentElement.clientWidth - width - 4);
  const top = box.top - height - 8 > 0 ? box.top - height - 8 : box.bottom + 8;
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}
function hideTip() {
  if (tipped) tipped.removeAttribute('aria-describedby');
  tipped = null;
  tip.hidden = true;
}
document.addEventListener('pointerover', (event) => {
  const element = event.target.closest?.('[data-tip]');
  if (element && element !== tipped) showTip(element);
  else if (!element && tipped && document.activeElement !== tipped) hideTip();
});
document.addEventListener('focusin', (event) => {
  if (event.target.matches?.('[data-tip]:focus-visible')) showTip(event.target);
  else hideTip();
});
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape') return;
  hideTip();
  for (const menu of all('details.menu[open]')) { menu.open = false; one('summary', menu).focus(); }
});
document.addEventListener('click', (event) => {
  for (const menu of all('details.menu[open]')) if (!menu.contains(event.target)) menu.open = false;
});
window.addEventListener('scroll', hideTip, { passive: true });
