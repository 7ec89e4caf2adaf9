"""The style sheet of a report: light, dark and printed, for screens of all widths."""

# The colours of the cards are those of the figures' paper (see figures.py).
STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #ffffff; --ink: #1d2127; --soft: #565e69; --line: #dfe2e7;
  --accent: #0067a3; --code: #f1f3f6; --warn-line: #b45309; --warn: #fff7e8;
  --fail-line: #b3261e; --fail: #fdeeed;
  --text: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  --mono: ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #0d0f12; --card: #16181d; --ink: #e6e8eb; --soft: #a4acb8; --line: #2b3038;
    --accent: #6cc0f2; --code: #20242b; --warn-line: #f0b357; --warn: #2a2214;
    --fail-line: #ff8a80; --fail: #2e1917;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; scroll-padding-top: 1.5rem; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.6 var(--text); font-variant-numeric: tabular-nums; }
a { color: var(--accent); text-underline-offset: .18em; text-decoration-thickness: 1px; }
a:focus-visible, [tabindex]:focus-visible, pre:focus-visible { outline: 2px solid var(--accent);
  outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem .9rem; z-index: 2; }
.frame { max-width: 1240px; margin: 0 auto; padding: 3rem 1.5rem 4rem; }
header.top { margin-bottom: 2.25rem; }
h1 { font-size: clamp(1.7rem, 1.2rem + 2vw, 2.5rem); line-height: 1.15; font-weight: 680;
  letter-spacing: -.02em; margin: 0 0 .5rem; text-wrap: balance; }
h2 { font-size: 1.4rem; line-height: 1.25; font-weight: 660; letter-spacing: -.012em;
  margin: 0 0 .4rem; }
h3 { font-size: 1rem; font-weight: 640; margin: 1.75rem 0 .5rem; }
p { margin: 0 0 .9rem; max-width: 74ch; text-wrap: pretty; }
.eyebrow { color: var(--accent); font-size: .8rem; font-weight: 650; letter-spacing: .07em;
  text-transform: uppercase; margin: 0 0 .6rem; }
.lead { color: var(--soft); font-size: 1.06rem; margin-bottom: 1rem; }
.facts { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; margin: 0; padding: 0;
  list-style: none; color: var(--soft); font-size: .9rem; }
.facts b { color: var(--ink); font-weight: 560; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(158px, 1fr)); gap: .85rem;
  margin: 0 0 2.25rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: .9rem 1.1rem 1rem; display: flex; flex-direction: column-reverse;
  justify-content: flex-end; }
.tile dt { color: var(--soft); font-size: .82rem; line-height: 1.4; }
.tile dd { margin: 0 0 .15rem; font-size: 1.6rem; line-height: 1.2; font-weight: 640;
  letter-spacing: -.02em; }
.tile dd small { font-size: .92rem; font-weight: 450; color: var(--soft); letter-spacing: 0; }
.tile.first dd { color: var(--accent); }
.columns { display: grid; grid-template-columns: minmax(0, 1fr); gap: 2rem; }
nav ol { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap;
  gap: .35rem 1.1rem; font-size: .92rem; }
nav h2 { font-size: .8rem; letter-spacing: .07em; text-transform: uppercase; color: var(--soft);
  font-weight: 650; margin: 0 0 .6rem; }
nav a { text-decoration: none; color: var(--soft); }
nav a:hover { color: var(--accent); text-decoration: underline; }
@media screen and (min-width: 1080px) {
  .columns { grid-template-columns: 178px minmax(0, 1fr); gap: 2.75rem; }
  nav { position: sticky; top: 1.5rem; align-self: start; }
  nav ol { flex-direction: column; }
}
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 1.6rem 1.75rem 1.75rem; margin: 0 0 1.5rem; }
section > :last-child { margin-bottom: 0; }
figure { margin: 1.25rem 0 0; }
figure + figure, figure + h3, .wide + figure { margin-top: 2.25rem; }
figure picture, figure img { display: block; }
figure img { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
.scroll img { min-width: var(--least); }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(380px, 100%), 1fr));
  gap: 1.5rem 1.25rem; }
.pixels { image-rendering: pixelated; width: 100%; }
.blocks { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fit, minmax(min(260px, 100%), 1fr)); max-width: 900px; }
.blocks p { margin: 0 0 .25rem; font-size: .88rem; color: var(--soft); }
figcaption { font-size: .93rem; color: var(--soft); margin-top: .8rem; max-width: 78ch; }
figcaption p { max-width: none; margin: 0; }
.note { border-left: 3px solid var(--warn-line); background: var(--warn); padding: .65rem .95rem;
  border-radius: 0 8px 8px 0; max-width: 78ch; overflow-wrap: anywhere; }
.note.failure { border-color: var(--fail-line); background: var(--fail); }
.repeat { margin-top: .8rem; font-size: .86rem; color: var(--soft); }
.repeat p { margin: 0 0 .3rem; }
.repeat .files { margin: .45rem 0 0; }
code, pre { font-family: var(--mono); font-size: .84em; }
code { overflow-wrap: anywhere; }
pre { background: var(--code); color: var(--ink); border: 1px solid var(--line);
  border-radius: 8px; padding: .65rem .85rem; margin: 0; overflow-x: auto; font-size: .8rem;
  line-height: 1.55; white-space: normal; }
/* A click selects one command; words move to the next line as wholes. */
pre code { display: block; font-size: inherit; padding-left: 2ch; text-indent: -2ch;
  user-select: all; -webkit-user-select: all; }
pre code + code { margin-top: .35rem; }
pre span { display: inline-block; max-width: 100%; text-indent: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin-top: 1rem; }
table { border-collapse: collapse; font-size: .9rem; line-height: 1.45; }
caption { text-align: left; color: var(--soft); font-size: .9rem; padding-bottom: .4rem; }
th, td { text-align: left; padding: .32rem 1.2rem .32rem 0; border-bottom: 1px solid var(--line);
  vertical-align: baseline; }
thead th { color: var(--soft); font-weight: 560; font-size: .82rem; white-space: nowrap;
  vertical-align: bottom; }
tbody th { font-weight: 500; white-space: nowrap; }
tr.total th, tr.total td { font-weight: 660; border-bottom: 0; }
th.number, td.number { text-align: right; white-space: nowrap; }
.settings { columns: 2 320px; column-gap: 2.5rem; margin-top: 1rem; }
.settings .group { break-inside: avoid; margin-bottom: 1.4rem; }
.settings .group h3 { margin: 0 0 .35rem; }
.settings dl { margin: 0; font-size: .9rem; }
.settings dl div { display: flex; justify-content: space-between; gap: 1rem; padding: .22rem 0;
  border-bottom: 1px solid var(--line); }
.settings dt { color: var(--soft); }
.settings dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
.settings .given dd { font-weight: 620; }
footer { color: var(--soft); font-size: .86rem; margin-top: 1.5rem; }
@media (max-width: 640px) {
  .frame { padding: 1.75rem .9rem 2.5rem; }
  section { padding: 1.15rem 1rem 1.25rem; border-radius: 12px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .6rem; }
  .tile { padding: .75rem .85rem; }
  .tile dd { font-size: 1.35rem; }
}
@media print {
  :root { --page: #ffffff; }
  body { font-size: 10.5pt; }
  .frame { max-width: none; padding: 0; }
  .skip { display: none; }
  section { border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: 1rem 0; }
  .tile, figure, tr, pre, .group { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .scroll, .wide { overflow: visible; }
  .scroll img { min-width: 0; }
}
"""
