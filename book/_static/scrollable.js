// What scrolls in its own box can be reached and scrolled with the keyboard.
addEventListener("DOMContentLoaded", () => {
  const boxes = new ResizeObserver(entries => {
    const wide = entries.map(({ target }) => target.scrollWidth > target.clientWidth);
    entries.forEach(({ target }, i) => {
      if (wide[i]) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    });
  });
  document.querySelectorAll("pre, .cell_output > .output, .math-scroll, .pst-scrollable-table-container")
    .forEach(box => boxes.observe(box));
});
