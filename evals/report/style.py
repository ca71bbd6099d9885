"""The look of a report and its one script; both are written into the page."""

from __future__ import annotations

__all__ = ["CSS", "SCRIPT"]

CSS = """
:root{--bg:#fcfcfb;--card:#fff;--ink:#1c1c1a;--soft:#63625d;--line:#e3e2dd;--blue:#2a6fbb;--blue2:#d5e5f6;
--teal:#0f8a7a;--amber:#b7791f;--plum:#8a4fbf;--red:#c0392b;--gold:#ffe08a;--ctx:#dcebfb;--cite:#0f8a7a}
@media(prefers-color-scheme:dark){:root{--bg:#151514;--card:#1e1e1c;--ink:#ecebe6;--soft:#a3a29b;--line:#35342f;
--blue:#6ea8e5;--blue2:#22384f;--teal:#4fc3b1;--amber:#e0a94a;--plum:#b98be6;--red:#ef7a6c;--gold:#6b5510;
--ctx:#1f3347;--cite:#4fc3b1}}
*{box-sizing:border-box}html{color-scheme:light dark}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{max-width:1040px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:24px;margin:0}h2{font-size:17px;margin:0 0 4px}p{margin:4px 0 12px}
.soft,figcaption{color:var(--soft);font-size:13px}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;margin:16px 0}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);
vertical-align:middle;white-space:nowrap}
th{font-weight:600;color:var(--soft);font-size:13px}td.n,th.n{text-align:right}
.bar{min-width:150px;width:100%}.bar svg{display:block;width:100%;height:18px}
.fall{display:grid;grid-template-columns:minmax(7.5em,max-content) 1fr max-content;gap:6px 10px;align-items:center}
.fall button{all:unset;cursor:pointer;color:var(--blue);text-decoration:underline;text-underline-offset:2px}
.fall button:focus-visible,a:focus-visible,summary:focus-visible{outline:2px solid var(--blue);outline-offset:2px}
.fall svg{width:100%;height:20px;display:block}
.plot{position:relative;height:260px;margin:12px 8px 30px 44px;border-left:1px solid var(--line);
border-bottom:1px solid var(--line)}
.plot svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
.plot span{position:absolute;font-size:12px;color:var(--soft);transform:translate(-50%,4px);white-space:nowrap}
.plot .y{transform:translate(calc(-100% - 6px),50%)}.plot .end{transform:translate(-100%,-130%);font-weight:600}
.key{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px}.key i{display:inline-block;width:14px;height:3px;
vertical-align:middle;margin-right:6px}
details>summary{cursor:pointer;color:var(--soft);font-size:13px}
pre{white-space:pre-wrap;font:13px/1.5 ui-monospace,monospace;margin:8px 0}
.list{display:grid;gap:2px;max-height:420px;overflow:auto}.list a{display:flex;gap:10px;padding:4px 6px;color:inherit;
text-decoration:none;border-radius:6px}.list a:hover{background:var(--blue2)}.list b{flex:none;margin-right:8px;
font-weight:500;color:var(--soft);min-width:9em}
.src{white-space:pre-wrap;border-left:3px solid var(--line);padding:2px 0 2px 12px;margin:8px 0 16px}
.src .c{background:var(--ctx)}.src .g{background:var(--gold)}.src .q{border-bottom:2px solid var(--cite)}
.src .gap{color:var(--soft)}input,select{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--line);
border-radius:6px;padding:4px 8px;max-width:100%}
@media(max-width:560px){main{padding:12px 10px 48px}section{padding:12px}.list a{display:block}
.fall{grid-template-columns:1fr max-content;gap:2px 10px}.fall svg{order:0;grid-column:1/-1}
.fall{grid-auto-flow:row dense}th,td{padding-right:8px}}
@media print{body{background:#fff}section{break-inside:avoid;border-color:#ccc}
.list{max-height:none}.noprint{display:none}}
"""

SCRIPT = """
(function(){
const D=JSON.parse(document.getElementById('data').textContent),$=id=>document.getElementById(id);
const el=(t,c,x)=>{const e=document.createElement(t);if(c)e.className=c;if(x!=null)e.textContent=x;return e};
const name=q=>q.outcome||q.status;
function list(){const want=$('outcome').value,text=$('find').value.toLowerCase(),box=$('list');box.replaceChildren();
let n=0;for(const q of D.questions){if(want&&name(q)!==want)continue;
if(text&&!(q.id+' '+q.text).toLowerCase().includes(text))continue;n++;
const a=el('a');a.href='#q='+encodeURIComponent(q.id);a.append(el('b','',name(q)),el('span','',q.text));box.append(a)}
$('count').textContent=n+' of '+D.questions.length+' questions'}
function row(t,k,v){if(v==null||v==='')return;const r=el('tr');r.append(el('th','',k));const d=el('td','',v);
d.style.whiteSpace='normal';r.append(d);t.append(r)}
function show(){const m=/^#q=(.*)$/.exec(location.hash),box=$('page');box.replaceChildren();box.hidden=!m;if(!m)return;
const q=D.questions.find(q=>q.id===decodeURIComponent(m[1]));if(!q){box.hidden=true;return}
box.append(el('h2','',q.text));const t=el('table');
row(t,'Question',q.id+(q.type?' ('+q.type+')':''));row(t,'Outcome',name(q)+(q.lost?' in '+q.lost.stage:''));
row(t,'Gold answers',q.answers.join(' | '));row(t,'Answer',q.status==='abstained'?'(abstained)':q.answer);
row(t,'Failure',q.failed&&q.failed.message);row(t,'Context',q.tokens==null?'':q.tokens+' tokens');
row(t,'Gold kept',q.kept.map(k=>k[1]+': '+k[3]+' of '+k[4]+' characters in '+k[2]+' hits').join('; '));
row(t,'Relevant',q.relevant.join(', '));row(t,'Ranking',q.ranking.join(', '));
row(t,'Scores',Object.entries(q.scores||{}).map(([k,v])=>k+' '+v).join(', '));box.append(t);
if(!q.sources.length)box.append(el('p','soft',
'The source text of this question is not in this file: rag report RUN --question '+q.id));
else{const k=el('p','soft');k.append('Marked: ');for(const[c,x]of[['g','gold'],['c','context'],['q','cited']]){
const w=el('span','src');w.style.cssText='border:0;padding:0;margin:0 8px 0 0';
w.append(el('span',c,x));k.append(w)}box.append(k)}
for(const s of q.sources){box.append(el('h2','',s.title));const p=el('div','src');
for(const[m,x]of s.pieces)p.append(el('span',m===null?'gap':m.split('').join(' '),x));box.append(p)}
if(q.pieces){const g=(h,heads,rows)=>{if(!rows.length)return;box.append(el('h2','',h));const w=el('div','wide'),
t=el('table'),r=el('tr');for(const x of heads)r.append(el('th','',x));t.append(r);for(const y of rows){const r=el('tr');
for(const x of y){const d=el('td','',x);d.style.whiteSpace='normal';r.append(d)}t.append(r)}w.append(t);box.append(w)};
g('Tokens by section',['document','section','tokens'],q.pieces.sections);
g('Left out (the weakest that was kept added '+q.pieces.least+')',['document','text','why','would add','tokens'],
q.pieces.left)}
box.scrollIntoView()}
for(const b of document.querySelectorAll('button[data-outcome]'))b.onclick=()=>{$('outcome').value=b.dataset.outcome;
list();$('questions').scrollIntoView()};
for(const k of [...new Set(D.questions.map(name))].sort()){const o=el('option','',k);o.value=k;$('outcome').append(o)}
$('outcome').onchange=list;$('find').oninput=list;window.onhashchange=show;list();show();
})();
"""
