/**
 * Keeps the height that is really seen in `--viewport-height`: on phones the on-screen keyboard covers the page without
 * changing its height. Answers how to stop.
 */
export function trackViewport(): () => void {
  const viewport = window.visualViewport;
  if (!viewport) return () => {};
  const tell = () => {
    // While zoomed in by pinching, the page keeps its layout.
    if (viewport.scale > 1.01) return;
    document.documentElement.style.setProperty("--viewport-height", `${Math.round(viewport.height)}px`);
    if (viewport.offsetTop > 0) window.scrollTo(0, 0);
  };
  tell();
  viewport.addEventListener("resize", tell);
  viewport.addEventListener("scroll", tell);
  return () => {
    viewport.removeEventListener("resize", tell);
    viewport.removeEventListener("scroll", tell);
  };
}
