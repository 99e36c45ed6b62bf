// Made by `npm run build` in web/ from 7086034b169b1a02e8d109ca60e06b3819d8036b252d321c343ea540ea4aca19
var K=`/* The page is the document, or the shadow root of a widget. */
:root { color-scheme: light dark; --tallest: 72vh; }
:host { display: block; --tallest: 34rem; } /* The height of a widget's window may follow from its own. */
:root, :host {
  --paper: light-dark(#f6f6f8, #121216); --card: light-dark(#fff, #1c1c22);
  --ink: light-dark(#1b1b1f, #ececf1); --soft: light-dark(#5f5f6b, #a0a0ad);
  --line: light-dark(#d9d9e0, #36363f); --accent: light-dark(#4a3fb5, #aaa2ff);
  --other: light-dark(#b5533f, #ff9c85); --warn: light-dark(#fff4dc, #33290f);
  --warn-line: light-dark(#e0b54a, #8a6d1f);
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; background: var(--paper); }
.explorer {
  container-type: inline-size; margin: 0 auto; max-width: 84rem; padding: clamp(.75rem, 2vw, 1.25rem);
  color: var(--ink); background: var(--paper); font: 16px/1.45 system-ui, sans-serif;
}
:host .explorer { border-radius: .6rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; }
h1 { margin: 0 auto 0 0; font-size: 1.4rem; line-height: 1.2; overflow-wrap: anywhere; }
h2, legend { margin: 0; padding: 0; font-size: .95rem; font-weight: 600; }
p { margin: 0; }
#status { color: var(--soft); font-size: .9rem; }
#status::before { content: "● "; color: #2d9d5c; }
#status.lost { color: var(--ink); font-weight: 600; }
#status.lost::before { color: #d04a3a; }
#error {
  margin-top: .75rem; padding: .6rem .8rem; border: 1px solid var(--warn-line);
  border-radius: .5rem; background: var(--warn); overflow-wrap: anywhere;
}
main {
  display: grid; gap: 1.25rem; margin-top: 1rem; align-items: start;
  grid-template: "view controls readings" / minmax(0, 1fr) 17rem 19rem;
}
#view { grid-area: view; }
#controls { grid-area: controls; }
#readings { grid-area: readings; }
#stage {
  position: relative; width: min(100%, var(--tallest)); margin: 0 auto; aspect-ratio: 1;
  border-radius: .5rem; background: var(--card); overflow: hidden; cursor: crosshair;
  touch-action: none; user-select: none;
}
#stage :is(img, canvas) { position: absolute; inset: 0; width: 100%; height: 100%; }
#stage img:not([src]) { visibility: hidden; }
#stage[data-layers="overlay"] img { filter: grayscale(.6) brightness(.7); }
#empty { position: absolute; inset: 0; display: grid; place-items: center; padding: 1rem; color: var(--soft); text-align: center; }
#divider { position: absolute; top: 0; bottom: 0; width: 2px; margin-left: -1px; background: #fff; box-shadow: 0 0 3px #000; }
#box { position: absolute; border: 2px solid #fff; box-shadow: 0 0 0 1px #000, inset 0 0 0 1px #000; }
#cross { position: absolute; width: 15px; height: 15px; margin: -8px 0 0 -8px; border: 2px solid #fff; border-radius: 50%; box-shadow: 0 0 0 1px #000, inset 0 0 0 1px #000; }
#split-row { display: flex; gap: .5rem; align-items: center; width: min(100%, var(--tallest)); margin: .4rem auto 0; font-weight: 600; }
#split-row input { flex: 1; min-width: 0; }
.scale { display: flex; gap: .5rem; align-items: center; width: min(100%, var(--tallest)); margin: .5rem auto; color: var(--soft); font-size: .85rem; font-variant-numeric: tabular-nums; }
#ramp { flex: 1; min-width: 0; height: .7rem; border-radius: .35rem; }
#album { display: flex; flex-wrap: wrap; gap: .4rem; max-height: 11rem; padding: 2px; overflow-y: auto; }
#album button { width: 3.6rem; height: 3.6rem; padding: 0; border: 2px solid transparent; border-radius: .4rem; overflow: hidden; }
#album button[aria-pressed="true"] { border-color: var(--accent); }
#album img { display: block; width: 100%; height: 100%; object-fit: cover; font-size: .6rem; }
#add { margin-top: .6rem; color: var(--soft); font-size: .9rem; }
#controls, #readings { display: grid; gap: .75rem; }
fieldset, .card, #sides, .check { margin: 0; padding: .75rem .9rem; border: 1px solid var(--line); border-radius: .6rem; background: var(--card); }
fieldset { display: grid; grid-template-columns: minmax(0, 1fr); gap: .55rem; min-width: 0; }
legend { float: left; width: 100%; }
fieldset:disabled { opacity: .55; }
fieldset label { display: grid; grid-template-columns: auto 1fr; gap: .1rem .5rem; align-items: center; font-size: .9rem; color: var(--soft); }
fieldset label :is(select, [type="search"], [type="number"]) { justify-self: end; width: 9.4rem; }
fieldset label output { justify-self: end; color: var(--ink); font-variant-numeric: tabular-nums; }
[type="range"] { grid-column: 1 / -1; width: 100%; margin: 0; accent-color: var(--accent); }
:is(select, [type="search"], [type="number"], button) {
  min-height: 1.9rem; padding: .2rem .5rem; border: 1px solid var(--line); border-radius: .35rem;
  color: var(--ink); background: var(--paper); font: inherit; font-size: .9rem;
}
button { cursor: pointer; }
button:enabled:hover { border-color: var(--accent); }
button:disabled { opacity: .55; cursor: default; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
#top { display: flex; flex-wrap: wrap; gap: .3rem; }
#top button { min-height: 0; padding: .1rem .5rem; border-radius: 1rem; max-width: 100%; font-size: .8rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
#sides { display: flex; gap: 1.5rem; font-weight: 600; }
.check { font-size: .9rem; }
.card { display: grid; gap: .4rem; font-size: .9rem; min-width: 0; }
.card p { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.card .hint { color: var(--soft); font-size: .8rem; }
.row { display: flex; gap: .75rem; align-items: start; }
#patch { flex: none; width: 72px; height: 72px; border-radius: .3rem; }
.save { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; }
.save h2 { margin-right: auto; }
#curve { width: 100%; max-width: 26rem; margin: 0 auto; height: auto; touch-action: none; }
.axes line { stroke: var(--line); }
#curve text { fill: var(--soft); font-size: 11px; }
polyline { fill: none; stroke-width: 2; }
.side-0 { stroke: var(--accent); }
.side-1 { stroke: var(--other); }
.name-0 { color: var(--accent); }
.name-1 { color: var(--other); }
circle.side-0 { fill: var(--accent); }
circle.side-1 { fill: var(--other); }
.tolerance { cursor: ns-resize; }
.tolerance rect { fill: transparent; }
.tolerance line { stroke: var(--ink); stroke-dasharray: 5 4; }
#curve .tolerance text { fill: var(--ink); }
footer { margin-top: 1rem; color: var(--soft); font-size: .85rem; }
kbd { padding: 0 .3rem; border: 1px solid var(--line); border-radius: .25rem; font-size: .8rem; }
dialog { max-width: min(46rem, 92vw); border: 1px solid var(--line); border-radius: .6rem; color: var(--ink); background: var(--card); }
dialog pre { max-height: 60vh; padding: .75rem; border-radius: .4rem; background: var(--paper); overflow: auto; font-size: .85rem; }
@container (max-width: 67.5rem) {
  main { grid-template: "view controls" auto "readings readings" auto / minmax(0, 1fr) 17rem; }
  #readings { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); grid-template-rows: auto auto 1fr; align-items: start; }
  .card:first-child { grid-row: span 3; }
}
@container (max-width: 42.5rem) {
  main { grid-template: "view" auto "controls" auto "readings" auto / minmax(0, 1fr); }
  #readings { grid-template: none / minmax(0, 1fr); }
  .card:first-child { grid-row: auto; }
  #album { flex-wrap: nowrap; overflow: auto hidden; }
  #album button { flex: none; }
}
`;var C=["method","estimator","noise_level","repetitions","seed","statistic","signed"],Ct={method:t=>t,estimator:t=>t,statistic:t=>t,noise_level:Number,repetitions:t=>2**t,seed:t=>Math.max(0,Math.trunc(Number(t))||0),signed:Boolean};function $(t){let e=t.sides[t.active];for(let o of C)e[o]=Ct[o](t.byId(o).value);e.estimator!=="sampled"&&(e.statistic="mean")}function S(t){let e=t.sides[t.active];for(let o of C){let i=o==="repetitions"?Math.log2(e[o]):e[o];t.byId(o).value=o==="signed"?i?"1":"":i}t.byId("class").value=t.className(e.unit??t.shown[t.active]?.unit),k(t)}function k(t){let e=t.sides[t.active],o=e.method==="smoothgrad",i=(r,n)=>{t.byId(`${r}-text`).textContent=n,t.byId(r).setAttribute("aria-valuetext",n)};t.byId("sampling").disabled=!o,t.byId("statistic").disabled=e.estimator!=="sampled",t.byId("signed").disabled=!o||e.statistic!=="mean",i("noise_level",`${Math.round(100*e.noise_level)} % of the range`),i("repetitions",e.repetitions),i("opacity",`${t.byId("opacity").value} %`),i("percentile",`${t.byId("percentile").value} %`)}var g=t=>`${(100*t).toPrecision(t<.1?2:3)} %`,b=t=>Number(t.toPrecision(3)).toString(),F=t=>t<.001?"< 0.1 %":`${(100*t).toFixed(1)} %`;function W(t,e){let o=t?Math.floor(Math.log10(Math.abs(t))):0,i=Math.abs(o)>2?o:0,r=s=>b(s/10**i),n=e===null?r(t):`${r(t)} ± ${r(e)}`;return i?`${e===null?n:`(${n})`} × 10${[...String(i)].map($t).join("")}`:n}var $t=t=>"⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(t)];function Y(t){return Uint8Array.from(atob(t),e=>e.charCodeAt(0))}function X(t,e){let o=Float32Array.from(t,Math.abs).sort(),i=Math.ceil(e/100*(o.length-1));return o[i]||o[o.length-1]||1}var H=t=>t.some(e=>e<0);function V(t,e,[o,i],r,n,s,a){t.width=i,t.height=o;let l=t.getContext("2d"),h=l.createImageData(i,o);for(let d=0;d<e.length;d++){let m=Math.max(-1,Math.min(1,e[d]/n)),N=3*Math.min(255,Math.floor(256*(s?(m+1)/2:m)));for(let x=0;x<3;x++)h.data[4*d+x]=r[N+x];h.data[4*d+3]=a===null?255:255*a*Math.abs(m)}l.putImageData(h,0,0)}function G(t,e){let o=t.getContext("2d"),i=o.createImageData(256,1);for(let r=0;r<256;r++)i.data.set([...e.subarray(3*r,3*r+3),255],4*r);o.putImageData(i,0,0)}function y(t,e){let o=t.shown[e];if(!o)return;let{tables:i}=t.hello,r=t.byId("stage"),n=H(o.map),s=n?Object.values(i).at(-1):i[t.byId("colors").value],a=X(o.map,Number(t.byId("percentile").value)),l=t.byId("layers").value,h=l==="map"?null:l==="image"?0:t.byId("opacity").value/100;V(t.byId(`map-${e}`),o.map,o.shape,s,a,n,h),r.dataset.layers=l,r.style.aspectRatio=`${o.shape[1]} / ${o.shape[0]}`,e===t.active&&(r.setAttribute("aria-label",St(t,o)),J(t,!0),t.byId("colors").disabled=n,G(t.byId("ramp"),s),t.byId("low").textContent=n?`−${b(a)}`:"0",t.byId("high").textContent=b(a))}function v(t,e){if(t.shown[e]=null,t.byId(`map-${e}`).width=0,e===t.active){t.byId("stage").setAttribute("aria-label","No map yet"),J(t,!1);for(let o of["low","high"])t.byId(o).textContent=""}}function J(t,e){for(let o of["png","npz","python"])t.byId(o).disabled=!e}function Q(t){y(t,0),y(t,1),k(t)}function St(t,e){let{method:o}=t.sides[e.panel],{images:i,methods:r,classes:n}=t.hello,s=e.repetitions?` of ${e.repetitions} samples`:"";return`${r[o]} map${s} of ${i[t.image]} for ${n[e.unit]}`}function Z(t,{x:e,y:o}){let[i,r]=t.stage.shape,n=t.byId("patch"),s=t.byId("picture"),a=s.naturalWidth/r,l=s.naturalHeight/i,h=Math.max(4,Math.round(r/16)),d=2*h+1,m=n.getContext("2d");m.clearRect(0,0,96,96),m.imageSmoothingEnabled=!1,m.drawImage(s,(e-h)*a,(o-h)*l,d*a,d*l,0,0,96,96),m.strokeStyle="#fff",m.strokeRect(48-48/d,48-48/d,96/d,96/d),n.hidden=!1}async function tt(t,e){if(!t.shown[e])return;let o=t.byId("picture"),i=new OffscreenCanvas(o.naturalWidth,o.naturalHeight),r=i.getContext("2d");t.byId("layers").value==="overlay"&&(r.filter=getComputedStyle(o).filter),r.drawImage(o,0,0),r.filter="none",r.drawImage(t.byId(`map-${e}`),0,0,i.width,i.height),P(await i.convertToBlob({type:"image/png"}),"map.png")}function P(t,e){let o=document.createElement("a");o.href=URL.createObjectURL(t),o.download=e,o.click(),setTimeout(()=>URL.revokeObjectURL(o.href),1e3)}var Mt=100;function et(t,{panel:e,repetitions:o,error:i}){i!==null&&T(t,e,o,i),w(t)}function T(t,e,o,i){let r=t.settingKey(e),n=t.curves.get(r)??[];n.some(([s])=>s===o)||(t.curves.delete(r),t.curves.set(r,[...n,[o,i]].sort((s,a)=>s[0]-a[0])),t.curves.size>Mt&&t.curves.delete(t.curves.keys().next().value))}function w(t){let e=t.compares?[0,1]:[0];t.curve.show(e.map(i=>t.curves.get(t.settingKey(i))??[]));let o=e.map(i=>At(t,i));t.byId("progress").textContent=o.length>1?`A: ${o[0]}. B: ${o[1]}.`:o[0],t.byId("stage").dataset.done=e.every(i=>t.isDone(i))}function At(t,e){let o=t.shown[e];if(!o)return t.sides[e].request?"no map":"computing…";let i=o.repetitions?`${o.repetitions} samples`:"no samples",r=o.error===null?"":`, relative error ${b(o.error)}`;return`${i}${r}${t.isDone(e)?"":" …"}`}function ot(t,e){let o=e.largest?Math.abs(e.value/e.largest):0;t.byId("point").textContent=`${it(t,e)}Column ${e.x}, row ${e.y}: ${W(e.value,e.error)}. ${g(o)} of the largest value, at or above ${g(e.rank)} of the pixels.`,Z(t,e)}var it=(t,{panel:e})=>t.compares?`${"AB"[e]}: `:"";function rt(t,e){let o=e.error===null?"":` ± ${g(e.error)}`;t.byId("share").textContent=e.share===null?"The map is zero everywhere.":`${it(t,e)}${g(e.share)}${o} of the map is inside, on ${g(e.area)} of the image.`}function nt(t){t.questions={},t.byId("point").textContent="Click on the map.",t.byId("share").textContent="Draw a box on the map.",t.byId("patch").hidden=!0}function p(t,e){t.image!==null&&(t.waiting.size||requestAnimationFrame(()=>Et(t)),t.waiting.add(e),t.sides[e].request=null,w(t))}function M(t){p(t,0),t.compares&&p(t,1)}function Et(t){for(let e of t.waiting){let o=++t.asked;t.sides[e].request=o;let i=t.sides[e],r={kind:"explain",panel:e,image:t.image,...i,...Ot(i)};t.connection.send({...r,request:o})}t.waiting.clear()}function Ot({method:t,estimator:e,statistic:o,signed:i}){let r=t==="smoothgrad",n=r&&e==="sampled"?o:"mean";return{statistic:n,signed:r&&n==="mean"&&i}}function q(t,e){t.questions[e.kind]=e,t.connection.send(e)}function st(t,e){for(let o of Object.values(t.questions))o.panel===e&&t.connection.send(o)}function at(t){t.seen?.disconnect(),t.seen=new IntersectionObserver(e=>{for(let{target:o}of e.filter(i=>i.isIntersecting))Lt(t,o)}),t.byId("album").replaceChildren(...t.hello.images.map((e,o)=>lt(t,o)))}function lt(t,e){let o=document.createElement("button"),i=t.hello.images[e];return Object.assign(o,{type:"button",title:i}),o.setAttribute("aria-pressed",e===t.image),o.append(Object.assign(new Image,{alt:i})),o.addEventListener("click",()=>{t.showNote(""),A(t,e)}),t.seen.observe(o),o}async function Lt(t,e){t.seen.unobserve(e);let o=[...t.byId("album").children].indexOf(e);e.firstChild.src=await t.connection.picture(o)}async function A(t,e){t.image=e,t.facts=null;for(let i of t.sides)i.unit=null;[...t.byId("album").children].forEach((i,r)=>i.setAttribute("aria-pressed",r===e)),t.byId("picture").removeAttribute("src"),t.byId("empty").hidden=!0,t.byId("top").replaceChildren(),v(t,0),v(t,1),t.stage.clear(),nt(t),M(t);let o=await t.connection.picture(e);t.image===e&&(t.byId("picture").src=o)}function dt(t){t.image=null,t.byId("picture").removeAttribute("src"),t.byId("empty").hidden=!1}async function j(t,e){let o=[];t.showNote("");for(let i of e)try{let{key:r,name:n}=await t.connection.upload(i);t.hello.images[r]=n,t.byId("album").append(lt(t,r)),A(t,r)}catch(r){o.push(r.message),t.showNote(o.join(" "))}}function ct(t){let{best:e,scores:o,are_probabilities:i}=t.facts,{classes:r}=t.hello;t.byId("top").replaceChildren(...e.slice(0,4).map(n=>{let s=document.createElement("button"),a=o[n]===null?"?":i?F(o[n]):b(o[n]);return s.type="button",s.textContent=`${a} ${r[n]}`,s.title=r[n],s.addEventListener("click",()=>ht(t,n)),s}))}function ht(t,e){t.sides[t.active].unit=e,t.byId("class").value=t.className(e),p(t,t.active)}function D(t){let e=t.byId("class").value;if(!t.hello||!e.trim())return;let o=ut(t,e);if(o===void 0)return t.showError(`No class is called “${e}”.`);t.showError(""),ht(t,o)}var mt=(t,e)=>e===t.className(ut(t,e));function ut(t,e){let{classes:o}=t.hello,i=Number.parseInt(e,10);if(/^\d+(:|$)/.test(e)&&i<o.length)return i;let r=e.trim().toLowerCase(),n=[...t.facts?.best??o.keys()],s=o.map(l=>l.toLowerCase()),a=l=>s[l].split(/[^\p{L}\p{N}]+/u);return n.find(l=>s[l]===r)??n.find(l=>a(l).includes(r))??n.find(l=>s[l].includes(r))}function pt(t){for(let e of["map-1","divider","split-row","sides"])t.byId(e).hidden=!t.compares;if(t.compares){let{request:e,...o}=t.sides[0];t.sides[1]={...o},I(t,1),p(t,1)}else I(t,0),t.showError("",1),v(t,1),y(t,0);U(t),w(t)}function I(t,e){t.active=e,t.root.querySelector(`[name=side][value="${e}"]`).checked=!0,S(t),t.curve.tolerance=t.sides[e].tolerance,t.curve.place(),t.shown[e]?y(t,e):v(t,e)}function U(t){let e=t.byId("split").value;t.byId("map-0").style.clipPath=t.compares?`inset(0 ${100-e}% 0 0)`:"",t.byId("map-1").style.clipPath=`inset(0 0 0 ${e}%)`,t.byId("divider").style.left=`${e}%`}var ft=(t,e)=>Number(t.compares&&100*e>t.byId("split").value);var c={left:38,right:304,top:8,bottom:152},Rt=[8,4096],f=[.01,2],zt="http://www.w3.org/2000/svg",vt=(t,[e,o])=>Math.log(t/e)/Math.log(o/e),Bt=(t,e,o)=>Math.max(e,Math.min(o,t)),bt=t=>c.left+vt(t,Rt)*(c.right-c.left),_=t=>c.bottom-Bt(vt(t,f),0,1)*(c.bottom-c.top);function u(t,e,o=""){let i=document.createElementNS(zt,t);for(let[r,n]of Object.entries(e))i.setAttribute(r,n);return i.textContent=o,i}var E=class{constructor(e,o){this.svg=e,this.changed=o,this.tolerance=null,this.lines=u("g",{}),e.append(this.axes(),this.lines,this.handle=this.makeHandle()),this.place()}axes(){let e=u("g",{class:"axes","aria-hidden":"true"});for(let o of[8,64,512,4096]){let i=bt(o);e.append(u("line",{x1:i,x2:i,y1:c.top,y2:c.bottom})),e.append(u("text",{x:i,y:168,"text-anchor":"middle"},String(o)))}for(let o of[.01,.1,1]){let i=_(o);e.append(u("line",{x1:c.left,x2:c.right,y1:i,y2:i})),e.append(u("text",{x:32,y:i+4,"text-anchor":"end"},String(o)))}return e}makeHandle(){let e=u("g",{class:"tolerance",tabindex:0,role:"slider","aria-label":"Stop at relative error","aria-valuemin":f[0],"aria-valuemax":1});return e.append(u("rect",{x:c.left,width:c.right-c.left,height:20,y:-10}),u("line",{x1:c.left,x2:c.right}),u("text",{x:c.right-4,y:-4,"text-anchor":"end"})),e.addEventListener("pointerdown",o=>{e.setPointerCapture(o.pointerId),o.preventDefault()}),e.addEventListener("pointermove",o=>{e.hasPointerCapture(o.pointerId)&&this.drag(o.clientY)}),e.addEventListener("keydown",o=>this.press(o)),e}drag(e){let{top:o,height:i}=this.svg.getBoundingClientRect(),r=(e-o)/i*180,n=(c.bottom-r)/(c.bottom-c.top);this.set(f[0]*(f[1]/f[0])**n)}press(e){let o={ArrowUp:1.1,ArrowRight:1.1,ArrowDown:.9090909090909091,ArrowLeft:.9090909090909091};e.key in o&&(e.preventDefault(),this.set((this.tolerance??f[0])*o[e.key]))}set(e){let o=Number(Math.min(e,1).toPrecision(2));this.tolerance=o>f[0]?o:null,this.place(),this.changed(this.tolerance)}place(){let e=this.tolerance===null?"never stop early":`stop at ${this.tolerance}`;this.handle.setAttribute("transform",`translate(0 ${_(this.tolerance??f[0])})`),this.handle.setAttribute("aria-valuenow",this.tolerance??f[0]),this.handle.setAttribute("aria-valuetext",e),this.handle.lastChild.textContent=e}show(e){this.lines.replaceChildren(...e.flatMap((o,i)=>{let r=o.map(([s,a])=>[bt(s),_(a)]),n=r.map(([s,a])=>u("circle",{cx:s,cy:a,r:2.5,class:`side-${i}`}));return[u("polyline",{points:r.join(" "),class:`side-${i}`}),...n]}))}};var O=class{constructor(e){this.root=e,this.hello=null,this.image=null,this.facts=null,this.active=0,this.sides=[{unit:null,tolerance:null},{unit:null,tolerance:null}],this.shown=[null,null],this.curves=new Map,this.questions={},this.asked=0,this.errors=["",""],this.note="",this.waiting=new Set}byId(e){return this.root.getElementById(e)}get compares(){return this.byId("compare").checked}className(e){return e==null?"":`${e}: ${this.hello.classes[e]}`}settingKey(e){let{method:o,estimator:i,noise_level:r,seed:n,statistic:s}=this.sides[e],a=this.sides[e].unit??this.facts?.best[0];return JSON.stringify([this.image,a,o,i,r,n,s])}isDone(e){let o=this.shown[e];return!!o?.done&&o.request===this.sides[e].request}showError(e,o=this.active){this.errors[o]=e,this.showTexts()}showNote(e){this.note=e,this.showTexts()}showTexts(){let e=this.compares?this.errors:[this.errors[0]],o=[this.note,...e].filter(Boolean).join(" ");this.byId("error").textContent=o,this.byId("error").hidden=!o}};var yt={hello(t,e){let o=t.hello===null,i=t.hello?.images[t.image];t.hello=e,Nt(t,e),o&&$(t),o&&Object.assign(t.sides[1],t.sides[0]),k(t);let r=i!==void 0&&e.images[t.image]===i;i!==void 0&&!r&&t.showNote(`The server has started anew without ${i}, which can be added again.`),r?M(t):e.images.length?A(t,0):dt(t)},image(t,e){if(e.image===t.image&&(t.showError("",e.panel),t.facts=e,ct(t),e.request===t.sides[e.panel].request))for(let[o,i]of e.errors)T(t,e.panel,o,i)},map(t,e){e.image!==t.image||e.request!==t.sides[e.panel].request||(e.map=new Float32Array(e.content),t.shown[e.panel]=e,t.stage.setShape(e.shape),e.panel===t.active&&t.root.activeElement!==t.byId("class")&&(t.byId("class").value=t.className(e.unit)),et(t,e),y(t,e.panel),e.done&&st(t,e.panel))},point:ot,box:rt,archive(t,{content:e}){P(new Blob([e]),"map.npz")},lines(t,e){t.byId("code").querySelector("pre").textContent=e.text,t.byId("code").showModal()},error(t,e){let o=t.sides.findIndex(({request:i})=>i&&i===e.request);o>=0&&v(t,o),w(t),t.showError(e.text,o<0?t.active:o)}};function Nt(t,e){t.byId("model").textContent=e.model,t.byId("add").hidden=!e.uploads,L(t.byId("method"),Object.entries(e.methods)),L(t.byId("estimator"),e.estimators.map(i=>[i,i])),L(t.byId("statistic"),e.statistics.map(i=>[i,i]));let o=Object.keys(e.colormaps).slice(0,-1);L(t.byId("colors"),o.map(i=>[i,i])),t.byId("classes").replaceChildren(...e.classes.map((i,r)=>new Option("",t.className(r)))),e.tables=Object.fromEntries(Object.entries(e.colormaps).map(([i,r])=>[i,Y(r)])),at(t)}function L(t,e){t.options.length!==e.length&&t.replaceChildren(...e.map(([o,i])=>new Option(i,o)))}var wt={ArrowLeft:[-1,0],ArrowRight:[1,0],ArrowUp:[0,-1],ArrowDown:[0,1]},R=class{constructor(e,o,i,r,n){Object.assign(this,{element:e,box:o,cross:i,onPoint:r,onBox:n}),this.shape=null,this.boxed=null,e.addEventListener("pointerdown",s=>this.down(s)),e.addEventListener("pointermove",s=>this.move(s)),e.addEventListener("pointerup",s=>this.up(s)),e.addEventListener("keydown",s=>this.press(s))}setShape(e){String(e)!==String(this.shape)&&(this.shape=e,this.clear())}clear(){this.point=this.boxed=null,this.box.hidden=this.cross.hidden=!0}pixel({clientX:e,clientY:o}){let{left:i,top:r,width:n,height:s}=this.element.getBoundingClientRect(),[a,l]=this.shape,h=(d,m)=>Math.max(0,Math.min(m-1,Math.floor(d*m)));return[h((e-i)/n,l),h((o-r)/s,a)]}down(e){!this.shape||e.button||(this.element.setPointerCapture(e.pointerId),this.start=[e.clientX,e.clientY],this.first=this.pixel(e))}move(e){if(!this.start)return;let[o,i]=this.start;Math.hypot(e.clientX-o,e.clientY-i)>4&&this.setBox(this.first,this.pixel(e))}up(e){if(!this.start)return;let[o,i]=this.start;this.start=null,Math.hypot(e.clientX-o,e.clientY-i)>4?this.onBox(...this.boxed):this.choose(this.first,(e.clientX-this.element.getBoundingClientRect().left)/this.element.clientWidth)}choose([e,o],i){this.setPoint([e,o]),this.onPoint(e,o,i)}setPoint([e,o]){this.point=[e,o];let[i,r]=this.shape;this.cross.hidden=!1,this.cross.style.left=`${100*(e+.5)/r}%`,this.cross.style.top=`${100*(o+.5)/i}%`}setBox([e,o],[i,r]){let[n,s]=this.shape,[a,l]=[Math.min(e,i),Math.max(e,i)],[h,d]=[Math.min(o,r),Math.max(o,r)];this.boxed=[a,h,l,d],this.corner=[i,r],this.box.hidden=!1,this.box.style.left=`${100*a/s}%`,this.box.style.top=`${100*h/n}%`,this.box.style.width=`${100*(l-a+1)/s}%`,this.box.style.height=`${100*(d-h+1)/n}%`}press(e){if(!this.shape)return;let[o,i]=this.shape,r=[Math.floor(i/2),Math.floor(o/2)];if(e.key==="Enter")this.choose(this.point??r,(this.point??r)[0]/i);else if(e.key in wt)this.moveBy(e,this.point??r);else return;e.preventDefault()}moveBy(e,o){let[i,r]=this.shape,n=Math.max(1,Math.round(r/32)),s=([a,l])=>{let[h,d]=wt[e.key],m=(N,x)=>Math.max(0,Math.min(x-1,N));return[m(a+n*h,r),m(l+n*d,i)]};if(!e.shiftKey)return this.setPoint(s(o));this.setPoint(o),this.setBox(o,s(this.boxed?this.corner:o)),this.onBox(...this.boxed)}};function gt(t,e){let o=new O(t);o.curve=new E(o.byId("curve"),i=>{o.sides[o.active].tolerance=i,p(o,o.active)}),o.stage=new R(o.byId("stage"),o.byId("box"),o.byId("cross"),(i,r,n)=>q(o,{kind:"point",panel:ft(o,n),x:i,y:r}),(i,r,n,s)=>q(o,{kind:"box",panel:o.active,left:i,top:r,right:n,bottom:s})),o.connection=e(i=>{xt(o,"Connected",!1),yt[i.kind]?.(o,i)},i=>xt(o,i,!0)),Pt(o),Tt(o),t.addEventListener("keydown",i=>qt(o,i))}function xt(t,e,o){t.byId("status").classList.toggle("lost",o),t.byId("status").textContent!==e&&(t.byId("status").textContent=e)}function Pt(t){let e=(o,i,r)=>t.byId(o).addEventListener(i,r);for(let o of C)e(o,"input",()=>{$(t),S(t),p(t,t.active)});for(let o of["layers","colors","opacity","percentile"])e(o,"input",()=>Q(t));e("class","change",()=>D(t)),e("class","input",({target:o})=>{mt(t,o.value)&&D(t)}),e("compare","change",()=>pt(t)),e("split","input",()=>U(t)),e("controls","submit",o=>o.preventDefault());for(let o of t.root.querySelectorAll("[name=side]"))o.addEventListener("change",()=>I(t,Number(o.value)))}function Tt(t){let e=(i,r,n)=>t.byId(i).addEventListener(r,n),o=i=>t.connection.send({kind:i,panel:t.active});e("choose","click",()=>t.byId("files").click()),e("files","change",({target:i})=>j(t,i.files).then(()=>i.value="")),e("png","click",()=>tt(t,t.active)),e("npz","click",()=>o("archive")),e("python","click",()=>o("lines")),e("copy","click",()=>navigator.clipboard.writeText(t.root.querySelector("#code pre").textContent));for(let i of["dragover","drop"])t.root.addEventListener(i,r=>{t.hello?.uploads&&(r.preventDefault(),i==="drop"&&j(t,[...r.dataTransfer.files]))})}function qt(t,e){let o=e.target.matches("input:not([type=range], [type=checkbox], [type=radio]), select");t.byId("code").open||e.ctrlKey||e.metaKey||e.altKey||o||(e.key==="c"&&t.byId("compare").click(),"ab".includes(e.key)&&t.compares&&I(t,"ab".indexOf(e.key)))}var kt=`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Explorer – keras-explainable</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="explorer.css">
<script type="module" src="main.js"><\/script>
</head>
<body>
<div class="explorer">
<header>
<h1>What does <span id="model">the network</span> look at?</h1>
<p id="status" role="status">Connecting…</p>
</header>
<p id="error" role="alert" hidden></p>
<main>
<section id="view" aria-label="Map">
<div id="stage" role="img" tabindex="0" aria-label="No map yet" aria-describedby="keys">
<img id="picture" alt="" draggable="false">
<canvas id="map-0"></canvas>
<canvas id="map-1" hidden></canvas>
<div id="divider" hidden></div>
<div id="box" hidden></div>
<div id="cross" hidden></div>
<p id="empty">Drop a picture here, or choose one below.</p>
</div>
<label id="split-row" hidden><span class="name-0">A</span> <input id="split" type="range" min="0" max="100" value="50" aria-label="Boundary between maps A and B"> <span class="name-1">B</span></label>
<p class="scale"><span id="low">0</span><canvas id="ramp" width="256" height="1"></canvas><span id="high"></span></p>
<div id="album" role="group" aria-label="Images"></div>
<p id="add" hidden><button type="button" id="choose">Add pictures…</button>
<input id="files" type="file" accept="image/*" multiple hidden aria-label="Add pictures">
<span>or drop them anywhere on the page</span></p>
</section>
<form id="controls" aria-label="Settings">
<div id="sides" hidden role="radiogroup" aria-label="Side to change">
<label><input type="radio" name="side" value="0" checked> <span class="name-0">A</span></label>
<label><input type="radio" name="side" value="1"> <span class="name-1">B</span></label>
</div>
<fieldset>
<legend>Explain</legend>
<label>Class <input id="class" type="search" list="classes" autocomplete="off"></label>
<datalist id="classes"></datalist>
<div id="top" role="group" aria-label="Most likely classes"></div>
<label>Method <select id="method"></select></label>
</fieldset>
<fieldset id="sampling">
<legend>Sample</legend>
<label for="noise_level">Noise level <output id="noise_level-text"></output>
<input id="noise_level" type="range" min="0" max="0.5" step="0.01" value="0.15"></label>
<label for="repetitions">Samples <output id="repetitions-text"></output>
<input id="repetitions" type="range" min="3" max="12" step="1" value="6"></label>
<label>Estimator <select id="estimator"></select></label>
<label>Statistic <select id="statistic"></select></label>
<label>Seed <input id="seed" type="number" min="0" max="2147483647" step="1" value="0"></label>
</fieldset>
<fieldset>
<legend>Show</legend>
<label>Layers <select id="layers">
<option value="overlay">overlay</option><option value="map">map</option><option value="image">image</option>
</select></label>
<label>Signs <select id="signed"><option value="">magnitudes</option><option value="1">for and against</option></select></label>
<label>Colours <select id="colors"></select></label>
<label for="opacity">Opacity <output id="opacity-text"></output><input id="opacity" type="range" min="0" max="100" value="90"></label>
<label for="percentile">Clip above <output id="percentile-text"></output><input id="percentile" type="range" min="90" max="100" step="0.1" value="99"></label>
</fieldset>
<label class="check"><input id="compare" type="checkbox"> Compare two settings</label>
</form>
<section id="readings" aria-label="Readings">
<div class="card">
<h2>Error</h2>
<p id="progress" aria-live="off">–</p>
<svg id="curve" viewBox="0 0 320 180" role="img" aria-label="Relative error against samples"></svg>
<p class="hint">Relative error against samples. Drag the dashed line up to stop there.</p>
</div>
<div class="card">
<h2>Point</h2>
<div class="row"><canvas id="patch" width="96" height="96" hidden></canvas>
<p id="point" aria-live="polite">Click on the map.</p></div>
</div>
<div class="card">
<h2>Box</h2>
<p id="share" aria-live="polite">Draw a box on the map.</p>
</div>
<div class="card save">
<h2>Save</h2>
<button type="button" id="png" disabled>PNG</button>
<button type="button" id="npz" disabled>npz</button>
<button type="button" id="python" disabled>Python</button>
</div>
</section>
</main>
<footer id="keys"><p><kbd>c</kbd> compare, <kbd>a</kbd> <kbd>b</kbd> side to change. On the map:
arrows move the point, <kbd>Shift</kbd> with arrows draws a box, <kbd>Enter</kbd> reads it.</p></footer>
<dialog id="code" aria-labelledby="code-title">
<h2 id="code-title">Python lines of this map</h2>
<p>They read the image from map.npz, which the button “npz” saves.</p>
<pre tabindex="0"></pre>
<form method="dialog"><button type="button" id="copy">Copy</button> <button>Close</button></form>
</dialog>
</div>
</body>
</html>
`;function Dt(t){let e=new DataView(t).getUint32(0,!0),o=JSON.parse(new TextDecoder().decode(new Uint8Array(t,4,e)));return t.byteLength>4+e&&(o.content=t.slice(4+e)),o}var z=class{constructor(e,o){this.receive=e,this.lost=o,this.pictures=new Map,this.arrivals=new Map}take(e){let o=Dt(e);o.kind==="hello"&&this.forget(),o.kind!=="picture"?this.receive(o):o.content&&this.arrivals.get(o.image)?.(Ut(o.content))}picture(e){return this.pictures.has(e)||(this.pictures.set(e,new Promise(o=>this.arrivals.set(e,o))),this.send({kind:"picture",image:e})),this.pictures.get(e)}forget(){for(let e of this.pictures.values())e.then(URL.revokeObjectURL);this.pictures.clear(),this.arrivals.clear()}},Ut=t=>URL.createObjectURL(new Blob([t],{type:"image/png"}));var _t=3e3,B=class extends z{constructor(e,o,i){super(o,i),this.model=e,this.view=String(Math.random()),this.listener=(r,n)=>this.hear(r,n),e.on("msg:custom",this.listener),this.send({kind:"hello"})}hear({view:e},o){if(e!==this.view)return;clearTimeout(this.waiting),this.waiting=null;let i=o[0],{buffer:r,byteOffset:n,byteLength:s}=ArrayBuffer.isView(i)?i:new Uint8Array(i);this.take(r.slice(n,n+s))}send(e){this.waiting??=setTimeout(()=>this.giveUp(),_t);try{this.model.send({...e,view:this.view})}catch{this.giveUp()}}giveUp(){clearTimeout(this.waiting),this.waiting=null,this.lost("The kernel does not answer: it is busy, or has ended.")}close(){this.send({kind:"close"}),clearTimeout(this.waiting),this.model.off("msg:custom",this.listener),this.forget()}};function Kt({model:t,el:e}){let o=document.createElement("div");o.dataset.lmSuppressShortcuts="";let i=o.attachShadow({mode:"open"}),r=new CSSStyleSheet;r.replaceSync(K),i.adoptedStyleSheets=[r],i.append(...new DOMParser().parseFromString(kt,"text/html").body.children),e.append(o);for(let a of document.querySelectorAll(".keras-explainable-note"))a.hidden=!0;let n=Ft(o),s;return gt(i,(...a)=>s=new B(t,...a)),()=>{s.close(),n()}}function Ft(t){let e=new OffscreenCanvas(1,1).getContext("2d",{willReadFrequently:!0}),o=()=>{e.fillStyle=getComputedStyle(t.parentElement??t).color,e.fillRect(0,0,1,1);let[n,s,a]=e.getImageData(0,0,1,1).data;t.style.colorScheme=n+s+a>384?"dark":"light"},i=new ResizeObserver(o);i.observe(t);let r=new MutationObserver(o);for(let n of[document.documentElement,document.body])r.observe(n,{attributes:!0});return()=>{i.disconnect(),r.disconnect()}}var Ve={render:Kt};export{Ve as default};
