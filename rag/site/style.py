"""The look of the site; it stands in every page, so that a page can be sent alone."""

from __future__ import annotations

__all__ = ["CSS"]

CSS = """
:root{--paper:#fbfaf7;--card:#fff;--ink:#1d232a;--soft:#5d6570;--line:#d9d4c8;--link:#1d5ea8;--code:#f1eee6}
@media(prefers-color-scheme:dark){:root{--paper:#16181b;--card:#1e2124;--ink:#e6e3dc;--soft:#9aa2ad;--line:#373b41;
--link:#7db4ee;--code:#24282c}}
*{box-sizing:border-box}html{color-scheme:light dark;scroll-padding-top:1rem}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.6 system-ui,sans-serif;overflow-wrap:break-word}
.frame{display:grid;grid-template-columns:16rem minmax(0,1fr);max-width:74rem;margin:0 auto}
nav{padding:1.2rem 1rem;font-size:14px;border-right:1px solid var(--line);max-height:100vh;overflow:auto;
position:sticky;top:0;align-self:start}
nav a{display:block;color:inherit;text-decoration:none;padding:.12rem 0}nav a:hover{text-decoration:underline}
nav a[aria-current]{font-weight:700}nav summary{cursor:pointer;color:var(--soft);padding:.2rem 0}
nav details{margin:.2rem 0}nav details>a{padding-left:.9rem}
main{padding:1.2rem 2rem 4rem;max-width:56rem}
h1{font-size:1.7rem;line-height:1.25;margin:.4rem 0 .8rem}h2{font-size:1.25rem;margin:2rem 0 .4rem}
h3{font-size:1.05rem;margin:1.6rem 0 .3rem}h1 code,h2 code,h3 code{font-size:.9em}
a{color:var(--link)}a:focus-visible,summary:focus-visible{outline:2px solid var(--link);outline-offset:2px}
code{background:var(--code);border-radius:4px;padding:.1em .3em;font:.88em ui-monospace,monospace}
pre{background:var(--code);border-radius:8px;padding:.8rem 1rem;overflow-x:auto;font-size:14px;line-height:1.5}
pre code{background:none;padding:0;font-size:inherit}
.wide{overflow-x:auto}table{border-collapse:collapse;font-size:14px;margin:.6rem 0;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line)}
th{color:var(--soft)}.soft{color:var(--soft);font-size:14px}blockquote{margin:.6rem 0;padding-left:1rem;
border-left:3px solid var(--line);color:var(--soft)}
.jump{position:absolute;left:-99rem}.jump:focus{left:1rem;top:.5rem;background:var(--card);padding:.3rem .8rem}
.menu{display:none}nav details details{margin-left:.9rem}nav details>a{padding-left:.9rem}
@media(max-width:760px){.frame{display:flex;flex-direction:column-reverse}nav{position:static;max-height:none;border:0;
border-top:1px solid var(--line)}main{padding:1rem;max-width:100%}.menu{display:block;padding:.6rem 1rem 0}}
@media print{nav,.menu{display:none}.frame{display:block}}
"""
