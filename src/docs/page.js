"use strict";
// Find: a table stays if its name or one of its columns holds what is typed; such columns are marked.
const search = document.getElementById("search");
const sections = [...document.querySelectorAll("main > section")];
function find() {
  const wanted = search.value.trim().toLowerCase();
  let found = 0;
  for (const section of sections) {
    let any = section.id.toLowerCase().includes(wanted);
    for (const row of section.querySelectorAll("tr[data-column]")) {
      const is = wanted !== "" && `${section.id}.${row.dataset.column}`.toLowerCase().includes(wanted)
        && !section.id.toLowerCase().includes(wanted);
      row.classList.toggle("found", is);
      any ||= is;
    }
    section.hidden = !any;
    found += any ? 1 : 0;
  }
  document.getElementById("nothing").hidden = found > 0;
}
search.addEventListener("input", find);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  }
});
// A link to a table that the search has hidden shows all again.
window.addEventListener("hashchange", () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const section = target?.closest("section");
  if (section?.hidden) {
    search.value = "";
    find();
    target.scrollIntoView();
  }
});
// What a table reads and who reads it, while the pointer or the focus is on its box.
for (const node of document.querySelectorAll(".graph .node")) {
  const near = (on) => {
    for (const edge of document.querySelectorAll(".graph .edge")) {
      if (edge.dataset.from === node.dataset.name || edge.dataset.to === node.dataset.name) {
        edge.classList.toggle("near", on);
      }
    }
  };
  for (const [event, on] of [["mouseenter", true], ["mouseleave", false], ["focus", true], ["blur", false]]) {
    node.addEventListener(event, () => near(on));
  }
}
