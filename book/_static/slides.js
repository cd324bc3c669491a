/* Slides fill the window, unscaled, so that a figure is dragged where the pointer is. */
Reveal.initialize({
  disableLayout: true,
  hash: true,
  slideNumber: "h.v",
  transition: "none",
  plugins: [RevealNotes],
});

/* What is higher than the window is set smaller, down to half. */
function fit() {
  const slide = Reveal.getCurrentSlide();
  for (let size = 20; size >= 10; size--) {
    slide.style.setProperty("--fit", size / 20);
    if (slide.scrollHeight <= slide.clientHeight) break;
  }
}
for (const event of ["ready", "slidechanged"]) Reveal.on(event, fit);
addEventListener("resize", fit);
