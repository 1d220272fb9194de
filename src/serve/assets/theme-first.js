// A classic script that blocks for a moment: the stored theme must be there before the first paint, or the page flashes.
(function () {
  var stored = null;
  try { stored = localStorage.getItem("clickrec.theme"); } catch (_) { /* storage may be forbidden */ }
  document.documentElement.dataset.theme = stored === "light" || stored === "dark" ? stored : "auto";
})();
