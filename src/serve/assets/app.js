// Puts the page together: filters, theme, panels, and what happens when something was committed.
import { tick } from "./format.js";
import { drawWindow, filterBar } from "./filterbar.js";
import { follow } from "./live.js";
import { panels } from "./panel.js";
import { forgetRecommender } from "./recommender.js";
import { forgetNewest } from "./state.js";
import { themeButton } from "./theme.js";

const TIMES_MOVE = ["silver.events", "gold.sessions", "gold.engagement"]; // commits that may bring a newer newest event

themeButton(document.getElementById("theme"));
filterBar();

// The scripts of the panels come before this one, so all of them have been loaded.
for (const each of panels) each.start();

follow((tables) => {
  forgetRecommender();
  if (!tables || TIMES_MOVE.some((table) => tables.has(table))) {
    forgetNewest();
    drawWindow();
  }
  for (const each of panels) each.committed(tables);
});

setInterval(tick, 10_000);

// Anchors must stop below the header, which grows when the filters wrap.
const header = document.querySelector(".top");
new ResizeObserver(() => {
  const sticky = getComputedStyle(header).position === "sticky";
  document.documentElement.style.setProperty("--top", `${sticky ? header.offsetHeight : 0}px`);
}).observe(header);

// The nav tells where on the page we are.
const links = new Map([...document.querySelectorAll(".nav a")].map((link) => [link.hash.slice(1), link]));
const visible = new Set();
const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) visible[isIntersecting ? "add" : "delete"](target.id);
  const here = [...links.keys()].find((id) => visible.has(id));
  for (const [id, link] of links) {
    if (id === here) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}, { rootMargin: "-30% 0px -55% 0px" });
for (const id of links.keys()) observer.observe(document.getElementById(id));
