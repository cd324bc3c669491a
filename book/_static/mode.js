// Light or dark, as the reader chose last time or else as the system is, before anything is drawn.
{
  const page = document.documentElement.dataset;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  page.mode = localStorage.getItem("mode") || "auto";
  page.theme = page.mode == "auto" ? system : page.mode;
}
