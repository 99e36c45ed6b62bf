// Made by `npm run build` in web/ from e4dddc07e2a679b415a0ea8ec70fc4ffc5d279a8b220ddf4e668343002863478
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
fieldset { display: grid; gap: .55rem; min-width: 0; }
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
`;var C=["method","estimator","noise_level","repetitions","seed","statistic","signed"],kt={method:t=>t,estimator:t=>t,statistic:t=>t,noise_level:Number,repetitions:t=>2**t,seed:t=>Math.max(0,Math.trunc(Number(t))||0),signed:Boolean};function S(t){let e=t.sides[t.active];for(let i of C)e[i]=kt[i](t.byId(i).value);e.estimator!=="sampled"&&(e.statistic="mean")}function $(t){let e=t.sides[t.active];for(let i of C){let o=i==="repetitions"?Math.log2(e[i]):e[i];t.byId(i).value=i==="signed"?o?"1":"":o}t.byId("class").value=t.className(e.unit??t.shown[t.active]?.unit),k(t)}function k(t){let e=t.sides[t.active],i=e.method==="smoothgrad",o=(r,s)=>{t.byId(`${r}-text`).textContent=s,t.byId(r).setAttribute("aria-valuetext",s)};t.byId("sampling").disabled=!i,t.byId("statistic").disabled=e.estimator!=="sampled",t.byId("signed").disabled=!i||e.statistic!=="mean",o("noise_level",`${Math.round(100*e.noise_level)} % of the range`),o("repetitions",e.repetitions),o("opacity",`${t.byId("opacity").value} %`),o("percentile",`${t.byId("percentile").value} %`)}var g=t=>`${(100*t).toPrecision(t<.1?2:3)} %`,b=t=>Number(t.toPrecision(3)).toString(),F=t=>t<.001?"< 0.1 %":`${(100*t).toFixed(1)} %`;function W(t,e){let i=t?Math.floor(Math.log10(Math.abs(t))):0,o=Math.abs(i)>2?i:0,r=n=>b(n/10**o),s=e===null?r(t):`${r(t)} ± ${r(e)}`;return o?`${e===null?s:`(${s})`} × 10${[...String(o)].map(It).join("")}`:s}var It=t=>"⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(t)];function Y(t){return Uint8Array.from(atob(t),e=>e.charCodeAt(0))}function X(t,e){let i=Float32Array.from(t,Math.abs).sort(),o=Math.ceil(e/100*(i.length-1));return i[o]||i[i.length-1]||1}var H=t=>t.some(e=>e<0);function V(t,e,[i,o],r,s,n,a){t.width=o,t.height=i;let h=t.getContext("2d"),c=h.createImageData(o,i);for(let l=0;l<e.length;l++){let m=Math.max(-1,Math.min(1,e[l]/s)),N=3*Math.min(255,Math.floor(256*(n?(m+1)/2:m)));for(let x=0;x<3;x++)c.data[4*l+x]=r[N+x];c.data[4*l+3]=a===null?255:255*a*Math.abs(m)}h.putImageData(c,0,0)}function G(t,e){let i=t.getContext("2d"),o=i.createImageData(256,1);for(let r=0;r<256;r++)o.data.set([...e.subarray(3*r,3*r+3),255],4*r);i.putImageData(o,0,0)}function v(t,e){let i=t.shown[e];if(!i)return;let{tables:o}=t.hello,r=t.byId("stage"),s=H(i.map),n=s?Object.values(o).at(-1):o[t.byId("colors").value],a=X(i.map,Number(t.byId("percentile").value)),h=t.byId("layers").value,c=h==="map"?null:h==="image"?0:t.byId("opacity").value/100;V(t.byId(`map-${e}`),i.map,i.shape,n,a,s,c),r.dataset.layers=h,r.style.aspectRatio=`${i.shape[1]} / ${i.shape[0]}`,r.setAttribute("aria-label",Ct(t,i)),t.byId("npz").disabled=!1,e===t.active&&(G(t.byId("ramp"),n),t.byId("low").textContent=s?`−${b(a)}`:"0",t.byId("high").textContent=b(a))}function y(t,e){t.shown[e]=null,t.byId(`map-${e}`).width=0,t.byId("stage").setAttribute("aria-label","No map yet"),t.byId("npz").disabled=!0}function J(t){v(t,0),v(t,1),k(t)}function Ct(t,e){let{method:i}=t.sides[e.panel],{images:o,methods:r,classes:s}=t.hello,n=e.repetitions?` of ${e.repetitions} samples`:"";return`${r[i]} map${n} of ${o[t.image]} for ${s[e.unit]}`}function Q(t,{x:e,y:i}){let[o,r]=t.stage.shape,s=t.byId("patch"),n=t.byId("picture"),a=n.naturalWidth/r,h=n.naturalHeight/o,c=Math.max(4,Math.round(r/16)),l=2*c+1,m=s.getContext("2d");m.clearRect(0,0,96,96),m.imageSmoothingEnabled=!1,m.drawImage(n,(e-c)*a,(i-c)*h,l*a,l*h,0,0,96,96),m.strokeStyle="#fff",m.strokeRect(48-48/l,48-48/l,96/l,96/l),s.hidden=!1}async function Z(t,e){if(!t.shown[e])return;let i=t.byId("picture"),o=new OffscreenCanvas(i.naturalWidth,i.naturalHeight),r=o.getContext("2d");t.byId("layers").value==="overlay"&&(r.filter=getComputedStyle(i).filter),r.drawImage(i,0,0),r.filter="none",r.drawImage(t.byId(`map-${e}`),0,0,o.width,o.height),P(await o.convertToBlob({type:"image/png"}),"map.png")}function P(t,e){let i=document.createElement("a");i.href=URL.createObjectURL(t),i.download=e,i.click(),setTimeout(()=>URL.revokeObjectURL(i.href),1e3)}var St=100;function tt(t,{panel:e,repetitions:i,error:o}){o!==null&&T(t,e,i,o),w(t)}function T(t,e,i,o){let r=t.settingKey(e),s=t.curves.get(r)??[];s.some(([n])=>n===i)||(t.curves.delete(r),t.curves.set(r,[...s,[i,o]].sort((n,a)=>n[0]-a[0])),t.curves.size>St&&t.curves.delete(t.curves.keys().next().value))}function w(t){let e=t.compares?[0,1]:[0];t.curve.show(e.map(o=>t.curves.get(t.settingKey(o))??[]));let i=e.map(o=>$t(t,o));t.byId("progress").textContent=i.length>1?`A: ${i[0]}. B: ${i[1]}.`:i[0],t.byId("stage").dataset.done=e.every(o=>t.isDone(o))}function $t(t,e){let i=t.shown[e];if(!i)return t.sides[e].request?"no map":"computing…";let o=i.repetitions?`${i.repetitions} samples`:"no samples",r=i.error===null?"":`, relative error ${b(i.error)}`;return`${o}${r}${t.isDone(e)?"":" …"}`}function et(t,e){let i=e.largest?Math.abs(e.value/e.largest):0;t.byId("point").textContent=`Column ${e.x}, row ${e.y}: ${W(e.value,e.error)}. ${g(i)} of the largest value, at or above ${g(e.rank)} of the pixels.`,Q(t,e)}function it(t,e){let i=e.error===null?"":` ± ${g(e.error)}`;t.byId("share").textContent=e.share===null?"The map is zero everywhere.":`${g(e.share)}${i} of the map is inside, on ${g(e.area)} of the image.`}function ot(t){t.questions={},t.byId("point").textContent="Click on the map.",t.byId("share").textContent="Draw a box on the map.",t.byId("patch").hidden=!0}function p(t,e){t.image!==null&&(t.waiting.size||requestAnimationFrame(()=>Mt(t)),t.waiting.add(e),t.sides[e].request=null,w(t))}function M(t){p(t,0),t.compares&&p(t,1)}function Mt(t){for(let e of t.waiting){let i=++t.asked;t.sides[e].request=i;let o=t.sides[e],r={kind:"explain",panel:e,image:t.image,...o,...At(o)};t.connection.send({...r,request:i})}t.waiting.clear()}function At({method:t,estimator:e,statistic:i,signed:o}){let r=t==="smoothgrad",s=r&&e==="sampled"?i:"mean";return{statistic:s,signed:r&&s==="mean"&&o}}function q(t,e){t.questions[e.kind]=e,t.connection.send(e)}function rt(t,e){for(let i of Object.values(t.questions))i.panel===e&&t.connection.send(i)}function st(t){t.seen?.disconnect(),t.seen=new IntersectionObserver(e=>{for(let{target:i}of e.filter(o=>o.isIntersecting))Et(t,i)}),t.byId("album").replaceChildren(...t.hello.images.map((e,i)=>nt(t,i)))}function nt(t,e){let i=document.createElement("button"),o=t.hello.images[e];return Object.assign(i,{type:"button",title:o}),i.setAttribute("aria-pressed",e===t.image),i.append(Object.assign(new Image,{alt:o})),i.addEventListener("click",()=>{t.showNote(""),A(t,e)}),t.seen.observe(i),i}async function Et(t,e){t.seen.unobserve(e);let i=[...t.byId("album").children].indexOf(e);e.firstChild.src=await t.connection.picture(i)}async function A(t,e){t.image=e,t.facts=null;for(let o of t.sides)o.unit=null;[...t.byId("album").children].forEach((o,r)=>o.setAttribute("aria-pressed",r===e)),t.byId("picture").removeAttribute("src"),t.byId("empty").hidden=!0,t.byId("top").replaceChildren(),y(t,0),y(t,1),t.stage.clear(),ot(t),M(t);let i=await t.connection.picture(e);t.image===e&&(t.byId("picture").src=i)}function at(t){t.image=null,t.byId("picture").removeAttribute("src"),t.byId("empty").hidden=!1}async function j(t,e){let i=[];t.showNote("");for(let o of e)try{let{key:r,name:s}=await t.connection.upload(o);t.hello.images[r]=s,t.byId("album").append(nt(t,r)),A(t,r)}catch(r){i.push(r.message),t.showNote(i.join(" "))}}function lt(t){let{best:e,scores:i,are_probabilities:o}=t.facts,{classes:r}=t.hello;t.byId("top").replaceChildren(...e.slice(0,4).map(s=>{let n=document.createElement("button"),a=i[s]===null?"?":o?F(i[s]):b(i[s]);return n.type="button",n.textContent=`${a} ${r[s]}`,n.title=r[s],n.addEventListener("click",()=>dt(t,s)),n}))}function dt(t,e){t.sides[t.active].unit=e,t.byId("class").value=t.className(e),p(t,t.active)}function D(t){let e=t.byId("class").value;if(!t.hello||!e.trim())return;let i=ht(t,e);if(i===void 0)return t.showError(`No class is called “${e}”.`);t.showError(""),dt(t,i)}var ct=(t,e)=>e===t.className(ht(t,e));function ht(t,e){let{classes:i}=t.hello,o=Number.parseInt(e,10);if(/^\d+(:|$)/.test(e)&&o<i.length)return o;let r=e.trim().toLowerCase();return[...t.facts?.best??i.keys()].find(n=>i[n].toLowerCase().includes(r))}function mt(t){for(let e of["map-1","divider","split-row","sides"])t.byId(e).hidden=!t.compares;if(t.compares){let{request:e,...i}=t.sides[0];t.sides[1]={...i},I(t,1),p(t,1)}else I(t,0),y(t,1),v(t,0);U(t),w(t)}function I(t,e){t.active=e,t.root.querySelector(`[name=side][value="${e}"]`).checked=!0,$(t),t.curve.tolerance=t.sides[e].tolerance,t.curve.place(),v(t,e)}function U(t){let e=t.byId("split").value;t.byId("map-0").style.clipPath=t.compares?`inset(0 ${100-e}% 0 0)`:"",t.byId("map-1").style.clipPath=`inset(0 0 0 ${e}%)`,t.byId("divider").style.left=`${e}%`}var ut=(t,e)=>Number(t.compares&&100*e>t.byId("split").value);var d={left:38,right:304,top:8,bottom:152},Ot=[8,4096],f=[.01,2],Lt="http://www.w3.org/2000/svg",ft=(t,[e,i])=>Math.log(t/e)/Math.log(i/e),Rt=(t,e,i)=>Math.max(e,Math.min(i,t)),pt=t=>d.left+ft(t,Ot)*(d.right-d.left),_=t=>d.bottom-Rt(ft(t,f),0,1)*(d.bottom-d.top);function u(t,e,i=""){let o=document.createElementNS(Lt,t);for(let[r,s]of Object.entries(e))o.setAttribute(r,s);return o.textContent=i,o}var E=class{constructor(e,i){this.svg=e,this.changed=i,this.tolerance=null,this.lines=u("g",{}),e.append(this.axes(),this.lines,this.handle=this.makeHandle()),this.place()}axes(){let e=u("g",{class:"axes","aria-hidden":"true"});for(let i of[8,64,512,4096]){let o=pt(i);e.append(u("line",{x1:o,x2:o,y1:d.top,y2:d.bottom})),e.append(u("text",{x:o,y:168,"text-anchor":"middle"},String(i)))}for(let i of[.01,.1,1]){let o=_(i);e.append(u("line",{x1:d.left,x2:d.right,y1:o,y2:o})),e.append(u("text",{x:32,y:o+4,"text-anchor":"end"},String(i)))}return e}makeHandle(){let e=u("g",{class:"tolerance",tabindex:0,role:"slider","aria-label":"Stop at relative error","aria-valuemin":f[0],"aria-valuemax":1});return e.append(u("rect",{x:d.left,width:d.right-d.left,height:20,y:-10}),u("line",{x1:d.left,x2:d.right}),u("text",{x:d.right-4,y:-4,"text-anchor":"end"})),e.addEventListener("pointerdown",i=>{e.setPointerCapture(i.pointerId),i.preventDefault()}),e.addEventListener("pointermove",i=>{e.hasPointerCapture(i.pointerId)&&this.drag(i.clientY)}),e.addEventListener("keydown",i=>this.press(i)),e}drag(e){let{top:i,height:o}=this.svg.getBoundingClientRect(),r=(e-i)/o*180,s=(d.bottom-r)/(d.bottom-d.top);this.set(f[0]*(f[1]/f[0])**s)}press(e){let i={ArrowUp:1.1,ArrowRight:1.1,ArrowDown:.9090909090909091,ArrowLeft:.9090909090909091};e.key in i&&(e.preventDefault(),this.set((this.tolerance??f[0])*i[e.key]))}set(e){let i=Number(Math.min(e,1).toPrecision(2));this.tolerance=i>f[0]?i:null,this.place(),this.changed(this.tolerance)}place(){let e=this.tolerance===null?"never stop early":`stop at ${this.tolerance}`;this.handle.setAttribute("transform",`translate(0 ${_(this.tolerance??f[0])})`),this.handle.setAttribute("aria-valuenow",this.tolerance??f[0]),this.handle.setAttribute("aria-valuetext",e),this.handle.lastChild.textContent=e}show(e){this.lines.replaceChildren(...e.flatMap((i,o)=>{let r=i.map(([n,a])=>[pt(n),_(a)]),s=r.map(([n,a])=>u("circle",{cx:n,cy:a,r:2.5,class:`side-${o}`}));return[u("polyline",{points:r.join(" "),class:`side-${o}`}),...s]}))}};var O=class{constructor(e){this.root=e,this.hello=null,this.image=null,this.facts=null,this.active=0,this.sides=[{unit:null,tolerance:null},{unit:null,tolerance:null}],this.shown=[null,null],this.curves=new Map,this.questions={},this.asked=0,this.error="",this.note="",this.waiting=new Set}byId(e){return this.root.getElementById(e)}get compares(){return this.byId("compare").checked}className(e){return e==null?"":`${e}: ${this.hello.classes[e]}`}settingKey(e){let{method:i,estimator:o,noise_level:r,seed:s,statistic:n}=this.sides[e],a=this.sides[e].unit??this.facts?.best[0];return JSON.stringify([this.image,a,i,o,r,s,n])}isDone(e){let i=this.shown[e];return!!i?.done&&i.request===this.sides[e].request}showError(e){this.error=e,this.showTexts()}showNote(e){this.note=e,this.showTexts()}showTexts(){let e=[this.note,this.error].filter(Boolean).join(" ");this.byId("error").textContent=e,this.byId("error").hidden=!e}};var bt={hello(t,e){let i=t.hello===null,o=t.hello?.images[t.image];t.hello=e,zt(t,e),i&&S(t),i&&Object.assign(t.sides[1],t.sides[0]),k(t);let r=o!==void 0&&e.images[t.image]===o;o!==void 0&&!r&&t.showNote(`The server has started anew without ${o}, which can be added again.`),r?M(t):e.images.length?A(t,0):at(t)},image(t,e){if(e.image===t.image&&(t.showError(""),t.facts=e,lt(t),e.request===t.sides[e.panel].request))for(let[i,o]of e.errors)T(t,e.panel,i,o)},map(t,e){e.image!==t.image||e.request!==t.sides[e.panel].request||(e.map=new Float32Array(e.content),t.shown[e.panel]=e,t.stage.setShape(e.shape),e.panel===t.active&&t.root.activeElement!==t.byId("class")&&(t.byId("class").value=t.className(e.unit)),tt(t,e),v(t,e.panel),e.done&&rt(t,e.panel))},point:et,box:it,archive(t,{content:e}){P(new Blob([e]),"map.npz")},lines(t,e){t.byId("code").querySelector("pre").textContent=e.text,t.byId("code").showModal()},error(t,e){let i=t.sides.findIndex(({request:o})=>o&&o===e.request);i>=0&&y(t,i),w(t),t.showError(e.text)}};function zt(t,e){t.byId("model").textContent=e.model,t.byId("add").hidden=!e.uploads,L(t.byId("method"),Object.entries(e.methods)),L(t.byId("estimator"),e.estimators.map(o=>[o,o])),L(t.byId("statistic"),e.statistics.map(o=>[o,o]));let i=Object.keys(e.colormaps).slice(0,-1);L(t.byId("colors"),i.map(o=>[o,o])),t.byId("classes").replaceChildren(...e.classes.map((o,r)=>new Option("",t.className(r)))),e.tables=Object.fromEntries(Object.entries(e.colormaps).map(([o,r])=>[o,Y(r)])),st(t)}function L(t,e){t.options.length!==e.length&&t.replaceChildren(...e.map(([i,o])=>new Option(o,i)))}var vt={ArrowLeft:[-1,0],ArrowRight:[1,0],ArrowUp:[0,-1],ArrowDown:[0,1]},R=class{constructor(e,i,o,r,s){Object.assign(this,{element:e,box:i,cross:o,onPoint:r,onBox:s}),this.shape=null,this.boxed=null,e.addEventListener("pointerdown",n=>this.down(n)),e.addEventListener("pointermove",n=>this.move(n)),e.addEventListener("pointerup",n=>this.up(n)),e.addEventListener("keydown",n=>this.press(n))}setShape(e){String(e)!==String(this.shape)&&(this.shape=e,this.clear())}clear(){this.point=this.boxed=null,this.box.hidden=this.cross.hidden=!0}pixel({clientX:e,clientY:i}){let{left:o,top:r,width:s,height:n}=this.element.getBoundingClientRect(),[a,h]=this.shape,c=(l,m)=>Math.max(0,Math.min(m-1,Math.floor(l*m)));return[c((e-o)/s,h),c((i-r)/n,a)]}down(e){!this.shape||e.button||(this.element.setPointerCapture(e.pointerId),this.start=[e.clientX,e.clientY],this.first=this.pixel(e))}move(e){if(!this.start)return;let[i,o]=this.start;Math.hypot(e.clientX-i,e.clientY-o)>4&&this.setBox(this.first,this.pixel(e))}up(e){if(!this.start)return;let[i,o]=this.start;this.start=null,Math.hypot(e.clientX-i,e.clientY-o)>4?this.onBox(...this.boxed):this.choose(this.first,(e.clientX-this.element.getBoundingClientRect().left)/this.element.clientWidth)}choose([e,i],o){this.setPoint([e,i]),this.onPoint(e,i,o)}setPoint([e,i]){this.point=[e,i];let[o,r]=this.shape;this.cross.hidden=!1,this.cross.style.left=`${100*(e+.5)/r}%`,this.cross.style.top=`${100*(i+.5)/o}%`}setBox([e,i],[o,r]){let[s,n]=this.shape,[a,h]=[Math.min(e,o),Math.max(e,o)],[c,l]=[Math.min(i,r),Math.max(i,r)];this.boxed=[a,c,h,l],this.corner=[o,r],this.box.hidden=!1,this.box.style.left=`${100*a/n}%`,this.box.style.top=`${100*c/s}%`,this.box.style.width=`${100*(h-a+1)/n}%`,this.box.style.height=`${100*(l-c+1)/s}%`}press(e){if(!this.shape)return;let[i,o]=this.shape,r=[Math.floor(o/2),Math.floor(i/2)];if(e.key==="Enter")this.choose(this.point??r,(this.point??r)[0]/o);else if(e.key in vt)this.moveBy(e,this.point??r);else return;e.preventDefault()}moveBy(e,i){let[o,r]=this.shape,s=Math.max(1,Math.round(r/32)),n=([a,h])=>{let[c,l]=vt[e.key],m=(N,x)=>Math.max(0,Math.min(x-1,N));return[m(a+s*c,r),m(h+s*l,o)]};if(!e.shiftKey)return this.setPoint(n(i));this.setPoint(i),this.setBox(i,n(this.boxed?this.corner:i)),this.onBox(...this.boxed)}};function wt(t,e){let i=new O(t);i.curve=new E(i.byId("curve"),o=>{i.sides[i.active].tolerance=o,p(i,i.active)}),i.stage=new R(i.byId("stage"),i.byId("box"),i.byId("cross"),(o,r,s)=>q(i,{kind:"point",panel:ut(i,s),x:o,y:r}),(o,r,s,n)=>q(i,{kind:"box",panel:i.active,left:o,top:r,right:s,bottom:n})),i.connection=e(o=>{yt(i,"Connected",!1),bt[o.kind]?.(i,o)},o=>yt(i,o,!0)),Bt(i),Nt(i),t.addEventListener("keydown",o=>Pt(i,o))}function yt(t,e,i){t.byId("status").classList.toggle("lost",i),t.byId("status").textContent!==e&&(t.byId("status").textContent=e)}function Bt(t){let e=(i,o,r)=>t.byId(i).addEventListener(o,r);for(let i of C)e(i,"input",()=>{S(t),$(t),p(t,t.active)});for(let i of["layers","colors","opacity","percentile"])e(i,"input",()=>J(t));e("class","change",()=>D(t)),e("class","input",({target:i})=>{ct(t,i.value)&&D(t)}),e("compare","change",()=>mt(t)),e("split","input",()=>U(t)),e("controls","submit",i=>i.preventDefault());for(let i of t.root.querySelectorAll("[name=side]"))i.addEventListener("change",()=>I(t,Number(i.value)))}function Nt(t){let e=(o,r,s)=>t.byId(o).addEventListener(r,s),i=o=>t.connection.send({kind:o,panel:t.active});e("choose","click",()=>t.byId("files").click()),e("files","change",({target:o})=>j(t,o.files).then(()=>o.value="")),e("png","click",()=>Z(t,t.active)),e("npz","click",()=>i("archive")),e("python","click",()=>i("lines")),e("copy","click",()=>navigator.clipboard.writeText(t.root.querySelector("#code pre").textContent));for(let o of["dragover","drop"])t.root.addEventListener(o,r=>{t.hello?.uploads&&(r.preventDefault(),o==="drop"&&j(t,[...r.dataTransfer.files]))})}function Pt(t,e){let i=e.target.matches("input:not([type=range], [type=checkbox], [type=radio]), select");t.byId("code").open||e.ctrlKey||e.metaKey||e.altKey||i||(e.key==="c"&&t.byId("compare").click(),"ab".includes(e.key)&&t.compares&&I(t,"ab".indexOf(e.key)))}var xt=`<!doctype html>
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
<button type="button" id="png">PNG</button>
<button type="button" id="npz" disabled>npz</button>
<button type="button" id="python">Python</button>
</div>
</section>
</main>
<footer id="keys"><p><kbd>c</kbd> compare, <kbd>a</kbd> <kbd>b</kbd> side to change. On the map:
arrows move the point, <kbd>Shift</kbd> with arrows draws a box, <kbd>Enter</kbd> reads it.</p></footer>
<dialog id="code" aria-labelledby="code-title">
<h2 id="code-title">Python lines of this map</h2>
<p>Save the map as npz beside them.</p>
<pre tabindex="0"></pre>
<form method="dialog"><button type="button" id="copy">Copy</button> <button>Close</button></form>
</dialog>
</div>
</body>
</html>
`;function qt(t){let e=new DataView(t).getUint32(0,!0),i=JSON.parse(new TextDecoder().decode(new Uint8Array(t,4,e)));return t.byteLength>4+e&&(i.content=t.slice(4+e)),i}var z=class{constructor(e,i){this.receive=e,this.lost=i,this.pictures=new Map,this.arrivals=new Map}take(e){let i=qt(e);i.kind==="hello"&&this.forget(),i.kind!=="picture"?this.receive(i):i.content&&this.arrivals.get(i.image)?.(jt(i.content))}picture(e){return this.pictures.has(e)||(this.pictures.set(e,new Promise(i=>this.arrivals.set(e,i))),this.send({kind:"picture",image:e})),this.pictures.get(e)}forget(){for(let e of this.pictures.values())e.then(URL.revokeObjectURL);this.pictures.clear(),this.arrivals.clear()}},jt=t=>URL.createObjectURL(new Blob([t],{type:"image/png"}));var Dt=3e3,B=class extends z{constructor(e,i,o){super(i,o),this.model=e,this.view=String(Math.random()),this.listener=(r,s)=>this.hear(r,s),e.on("msg:custom",this.listener),this.send({kind:"hello"})}hear({view:e},i){if(e!==this.view)return;clearTimeout(this.waiting),this.waiting=null;let o=i[0],{buffer:r,byteOffset:s,byteLength:n}=ArrayBuffer.isView(o)?o:new Uint8Array(o);this.take(r.slice(s,s+n))}send(e){this.waiting??=setTimeout(()=>this.giveUp(),Dt);try{this.model.send({...e,view:this.view})}catch{this.giveUp()}}giveUp(){clearTimeout(this.waiting),this.waiting=null,this.lost("The kernel does not answer: it is busy, or has ended.")}close(){this.send({kind:"close"}),clearTimeout(this.waiting),this.model.off("msg:custom",this.listener),this.forget()}};function Ut({model:t,el:e}){let i=document.createElement("div");i.dataset.lmSuppressShortcuts="";let o=i.attachShadow({mode:"open"}),r=new CSSStyleSheet;r.replaceSync(K),o.adoptedStyleSheets=[r],o.append(...new DOMParser().parseFromString(xt,"text/html").body.children),e.append(i);for(let a of document.querySelectorAll(".keras-explainable-note"))a.hidden=!0;let s=_t(i),n;return wt(o,(...a)=>n=new B(t,...a)),()=>{n.close(),s()}}function _t(t){let e=new OffscreenCanvas(1,1).getContext("2d",{willReadFrequently:!0}),i=()=>{e.fillStyle=getComputedStyle(t.parentElement??t).color,e.fillRect(0,0,1,1);let[s,n,a]=e.getImageData(0,0,1,1).data;t.style.colorScheme=s+n+a>384?"dark":"light"},o=new ResizeObserver(i);o.observe(t);let r=new MutationObserver(i);for(let s of[document.documentElement,document.body])r.observe(s,{attributes:!0});return()=>{o.disconnect(),r.disconnect()}}var Xe={render:Ut};export{Xe as default};
