"""The frame of the report: one HTML document with its style and its few lines of script, asking nothing of a network.

It decides how the page looks in dark, light, on a phone, on paper and from right to left; what stands in it is
``report_sections``' and ``report``'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from trading_system.research.report_words import Words

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

_STYLE = """
:root{color-scheme:dark light;--bg:#0b0f17;--card:#111824;--edge:#1f2a3c;--text:#dfe5f1;--strong:#f2f5fb;
--muted:#8d9ab3;--grid:#1c2535;--up:#26c281;--down:#f0525f;--up-rgb:38 194 129;--down-rgb:240 82 95;--bar:#3f74d8;
--warn:#ffc246;--warn-bg:#2a2210;--warn-edge:#5c4a1a;--hold:#76839d;--zone:#4f8cff}
@media (prefers-color-scheme:light){:root{--bg:#f3f5f9;--card:#fff;--edge:#dde3ec;--text:#28313f;--strong:#0f1724;
--muted:#5d6a7f;--grid:#e8ecf2;--up:#0f8f5a;--down:#cf2f3f;--up-rgb:15 143 90;--down-rgb:207 47 63;--bar:#3768c8;
--warn:#8a5a00;--warn-bg:#fff6df;--warn-edge:#ecd49a;--hold:#7d8798;--zone:#2f66d0}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:14px/1.45 system-ui,"Segoe UI",Roboto,"Noto Sans",
"Noto Sans Arabic","DejaVu Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-inline-size:1180px;margin-inline:auto;padding:24px 22px 40px;display:grid;gap:14px;
grid-template-columns:repeat(2,minmax(0,1fr))}
main>*{grid-column:1/-1}main>.half{grid-column:auto}
h1{font-size:24px;margin:0;color:var(--strong)}h2{font-size:15px;margin:0 0 10px;color:var(--strong)}
h2 small{font-weight:400;color:var(--muted);font-size:12px;margin-inline-start:6px}
.sub{color:var(--muted);margin:4px 0 8px}
.chips{display:flex;flex-wrap:wrap;gap:6px}
.chip{border:1px solid var(--edge);background:var(--card);border-radius:7px;padding:2px 9px;font-size:12.5px}
.card{background:var(--card);border:1px solid var(--edge);border-radius:12px;padding:16px;min-inline-size:0}
.warn{background:var(--warn-bg);border-color:var(--warn-edge)}
.warn h2{color:var(--warn)}.warn ul{margin:0;padding-inline-start:18px}.warn li{margin:2px 0}
.tiles{display:grid;grid-template-columns:repeat(5,minmax(0,1fr));gap:12px}
.tile{background:var(--card);border:1px solid var(--edge);border-radius:12px;padding:12px 15px}
.tile b{display:block;font-size:22px;color:var(--strong);line-height:1.35}
.tile span,.tile small{color:var(--muted);font-size:12.5px;display:block}
.up,.tile b.up{color:var(--up)}.down,.tile b.down{color:var(--down)}
.n,bdi,.plot span{direction:ltr;unicode-bidi:plaintext}
[dir=rtl] .n{text-align:left}[dir=rtl] .months .n{text-align:center}
.plot{position:relative;direction:ltr;margin:4px 8px 26px 52px}
.plot svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
.plot path{fill:none;vector-effect:non-scaling-stroke;stroke-width:1.5;stroke-linejoin:round}
.plot span{position:absolute;font-size:11.5px;line-height:1;color:var(--muted);white-space:nowrap;
transform:translate(-50%,-50%)}
.plot span.y{transform:translate(calc(-100% - 8px),-50%)}
.plot span.x{transform:translate(-50%,9px)}
.plot span.r{transform:translate(0,-50%)}
.plot span.e{transform:translate(-100%,-50%);font-weight:600;background:var(--card);padding:2px 4px;border-radius:4px}
.plot span.t{transform:translate(-50%,calc(-100% - 5px))}
.plot span.b{transform:translate(-100%,24px)}.plot span.s{transform:translate(4px,2px)}
.equity-plot{height:270px}.drawdown-plot{height:96px}.half .plot{height:190px}.trade-plot{height:300px;margin-left:4px}
.plot.trade-plot svg{overflow:hidden}.half h2 small{display:block;margin:2px 0 0}
.plot path.grid{stroke:var(--grid);stroke-width:1}.plot path.zero{stroke:var(--muted);stroke-width:1;opacity:.5}
.plot path.hold{stroke:var(--hold);stroke-width:1.2}.plot span.hold{color:var(--hold)}
.plot path.gain{stroke:var(--up);stroke-width:2}.plot path.loss{stroke:var(--down);stroke-width:2}
.plot span.gain{color:var(--up)}.plot span.loss{color:var(--down)}
.plot path.gain-area{fill:rgb(var(--up-rgb)/.16);stroke:none}
.plot path.loss-area{fill:rgb(var(--down-rgb)/.3);stroke:none}
.plot path.drop{stroke:var(--down)}
.plot path.bar-up{fill:var(--up)}.plot path.bar-down{fill:var(--down)}.plot path.bar-even{fill:var(--muted)}
.plot path.bar-up,.plot path.bar-down,.plot path.bar-even,.plot path.body{stroke:none}
.plot path.dot{stroke-linecap:round;stroke-width:7;opacity:.8}
.plot path.dot.won{stroke:var(--up)}.plot path.dot.lost{stroke:var(--down)}
.plot path.wick{stroke-width:1}.plot path.wick.up{stroke:var(--up)}.plot path.wick.down{stroke:var(--down)}
.plot path.body.up{fill:var(--up)}.plot path.body.down{fill:var(--down)}
.plot path.zone{fill:var(--zone);opacity:.22;stroke:none}
.plot path.pole,.plot path.flag{stroke:var(--zone);stroke-width:2}
.plot path.pole{stroke-dasharray:2 4}
.plot path.gain-box{fill:rgb(var(--up-rgb)/.13);stroke:none}
.plot path.loss-box{fill:rgb(var(--down-rgb)/.15);stroke:none}
.plot path.level{stroke-width:1.2;stroke-dasharray:5 4}
.plot path.entry{stroke:var(--zone)}.plot path.stop{stroke:var(--down)}.plot path.target{stroke:var(--up)}
.plot span.entry{color:var(--zone)}.plot span.stop{color:var(--down)}.plot span.target{color:var(--up)}
.plot path.signal-line{stroke:var(--muted);stroke-width:1;stroke-dasharray:2 3}
.plot path.dot.fill-in{stroke:var(--zone);stroke-width:11;opacity:1}
.plot path.dot.fill-out{stroke:var(--warn);stroke-width:10;opacity:1}
.scroll{overflow-x:auto}
table{border-collapse:collapse;inline-size:100%;font-size:13px}
th{font-weight:600;color:var(--muted);text-align:end;padding:5px 8px;white-space:nowrap}
td{text-align:end;padding:5px 8px;border-block-start:1px solid var(--grid);white-space:nowrap}
th:first-child,td:first-child{text-align:start}
td.wide{white-space:normal;text-align:start}
tr.group th{text-align:start;padding-block-start:14px;color:var(--strong)}
.months{border-collapse:separate;border-spacing:2px}.months td{border:0;text-align:center;border-radius:4px;
min-inline-size:46px}.months th{text-align:center}.months td:first-child{text-align:start}
.months td.pos{background:rgb(var(--up-rgb)/var(--a))}.months td.neg{background:rgb(var(--down-rgb)/var(--a))}
.funnel{display:grid;grid-template-columns:minmax(120px,auto) 1fr auto;gap:5px 12px;align-items:center;font-size:13px}
.funnel i{display:block;block-size:11px;border-radius:3px;background:var(--bar)}
.funnel .lost{color:var(--muted);padding-inline-start:14px;font-size:12.5px;max-inline-size:280px;line-height:1.25}
.funnel i.lost{padding:0;margin-inline-start:14px;block-size:7px;background:rgb(var(--down-rgb)/.6)}
.funnel b{text-align:end;color:var(--strong)}.funnel b.lost{font-weight:400;color:var(--muted)}
.figures{display:grid;grid-template-columns:repeat(3,minmax(0,1fr));gap:0 28px;font-size:13px}
.figures div{display:flex;justify-content:space-between;gap:10px;padding:5px 0;border-block-end:1px solid var(--grid)}
.figures span{color:var(--muted)}
.figures small{display:block;font-weight:400;font-size:11.5px;text-align:end;color:var(--muted)}
.figures b{font-weight:600;color:var(--strong);text-align:end}.figures b.up{color:var(--up)}
.figures b.down{color:var(--down)}
summary{cursor:pointer}details.more>summary{color:var(--muted);margin-block-start:12px;font-size:13px}
dl{margin:8px 0 0;display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;font-size:12.5px}
dt{color:var(--strong)}dd{margin:0;color:var(--muted)}
.row{display:grid;gap:8px;
grid-template-columns:56px minmax(0,1fr) minmax(0,1.7fr) minmax(0,1.2fr) 84px 96px 56px 56px 84px minmax(0,1.4fr);
align-items:center;
padding:6px 4px;font-size:13px;border-block-end:1px solid var(--grid)}
.row>*{text-align:end;min-inline-size:0}.row>:nth-child(-n+4){text-align:start}
.row button{background:none;border:0;padding:0;font-family:inherit;font-weight:600;font-size:12.5px;color:var(--muted);
cursor:pointer}
.row button:focus-visible,summary:focus-visible{outline:2px solid var(--zone);outline-offset:2px}
.row button[aria-pressed=true]{color:var(--strong)}
.list summary{list-style:none}.list summary::-webkit-details-marker{display:none}
.list summary>:first-child::before{content:"▸";display:inline-block;inline-size:13px;color:var(--muted)}
[dir=rtl] .list summary>:first-child::before{content:"◂"}.list details[open] summary>:first-child::before{content:"▾"}
.list summary:hover{background:rgb(var(--up-rgb)/.05)}.list details p{margin:8px 4px;font-size:13px}
.foot{color:var(--muted);font-size:12.5px;margin:0}
ul.plain{margin:0;padding-inline-start:18px;font-size:13px}
@media (max-width:720px){main{padding:14px 10px 28px;gap:10px;grid-template-columns:minmax(0,1fr)}
h1{font-size:20px}.card{padding:13px 12px}.tiles{grid-template-columns:repeat(2,minmax(0,1fr));gap:8px}
.tile{padding:10px 12px}.plot{margin-left:44px;margin-right:4px}.equity-plot{height:220px}
.trade-plot{height:240px;margin-left:0}
.plot span.alt{display:none}.plot span{font-size:10.5px}
.trade-plot span.r{font-size:9.5px;transform:translate(-100%,-50%);left:100%!important;
background:var(--card);padding:0 2px}
.figures{grid-template-columns:minmax(0,1fr)}.funnel{grid-template-columns:minmax(0,1.5fr) minmax(0,1fr) auto}
.row{grid-template-columns:44px 1fr 1fr 72px 1fr}.row>.opt{display:none}.row>:nth-child(4){text-align:end}
dl{grid-template-columns:minmax(0,1fr)}dd{margin-block-end:6px}.groups .opt{display:none}}
@media print{:root{--bg:#fff;--card:#fff;--edge:#ccd3de;--text:#222;--strong:#000;--muted:#555;--grid:#e4e8ee;
--up:#0f8f5a;--down:#c22a39;--up-rgb:15 143 90;--down-rgb:194 42 57;--warn:#7a4f00;--warn-bg:#fff;--warn-edge:#b9963f;
--zone:#2f66d0;--hold:#777}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
main{padding:0;max-inline-size:none}.card,.tile,.list details{break-inside:avoid}.trades-card{break-inside:auto}
.scroll{overflow:visible}body{font-size:11.5px}.equity-plot{height:200px}main>.half.wide{grid-column:1/-1}
.row{grid-template-columns:40px 66px 1.6fr 1.3fr 62px 64px 36px 36px 62px 1.3fr;gap:6px;font-size:10.5px}
.row button{font-size:10.5px}}
"""

_SCRIPT = """
for(const head of document.querySelectorAll('[data-sorts]')){
const list=document.getElementById(head.dataset.sorts);
for(const button of head.querySelectorAll('button'))button.addEventListener('click',()=>{
const key=button.dataset.key,turn=button.getAttribute('aria-pressed')==='true'&&button.dataset.turn!=='1'?1:-1;
for(const other of head.querySelectorAll('button'))other.setAttribute('aria-pressed',other===button);
button.dataset.turn=turn;
const value=row=>{const text=row.dataset[key],number=Number(text);return text===''||isNaN(number)?text:number};
[...list.children].sort((a,b)=>{const x=value(a),y=value(b);
return(x<y?-1:x>y?1:0)*turn}).forEach(row=>list.append(row));
});}
"""


def page(title: str, sections: Iterable[str], words: Words) -> str:
    """Return the whole document; ``sections`` are finished markup, ``title`` is plain text."""
    body = "\n".join(section for section in sections if section)
    return (
        f'<!doctype html>\n<html lang="{words["lang"]}" dir="{words["dir"]}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n"
        f"<script>{_SCRIPT}</script>\n</body>\n</html>\n"
    )


def card(title: str, body: str, *, css: str = "", note: str = "") -> str:
    """Return a titled section; ``body`` is finished markup."""
    small = f"<small>{escape(note)}</small>" if note else ""
    return f'<section class="card {css}"><h2>{escape(title)}{small}</h2>{body}</section>'
