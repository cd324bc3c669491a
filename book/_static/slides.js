/* Slides fill the window, unscaled, so that a figure is dragged where the pointer is. */
Reveal.initialize({
  disableLayout: true,
  hash: true,
  slideNumber: "h.v",
  transition: "none",
  plugins: [RevealNotes],
});
