/* search_ranking.py puts PAGES, LEADS, WEIGHTS and TERMS before it, and Sphinx all of it
   into language_data.js. The numbers are Sphinx's own. */
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,

  score: (result) => {
    const [name, , anchor, description, score] = result;
    const page = PAGES.indexOf(name);
    // pages opened as files cannot be read for an excerpt
    if (location.protocol === "file:" && !description) result[3] = LEADS[page];
    if (anchor.startsWith("#term-")) return Math.min(score, Scorer.title);
    if (anchor) return score;
    const query = new URLSearchParams(location.search).get("q").trim().toLowerCase();
    const [home, term] = TERMS[query] ?? [];
    if (home === page) result[2] = `#${term}`; // not the top of the glossary
    const stemmer = new Stemmer();
    const words = splitQuery(query);
    const weightOf = (word) => {
      const weights = WEIGHTS[stemmer.stemWord(word)] ?? [];
      return weights.find((_, i) => i % 2 === 1 && weights[i - 1] === page) ?? 0;
    };
    return words.reduce((sum, word) => sum + weightOf(word), score);
  },
};

/* Excerpts of prose: without code, the table of contents, and the second form of a formula. */
document.addEventListener("DOMContentLoaded", () => {
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const aside = ".headerlink, .cell, .highlight, .katex-html, annotation, script, style";
    page.querySelectorAll(aside).forEach((element) => element.remove());
    page.querySelectorAll("dt, dd, th, td").forEach((element) => element.append(" "));
    const target = page.getElementById(decodeURIComponent(anchor.slice(1)));
    const meaning = target?.matches("dt") && page.querySelector(`${anchor} ~ dd`);
    return (meaning || target || page.querySelector(".bd-article")).textContent;
  };
});
