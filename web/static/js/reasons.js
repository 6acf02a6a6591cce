// What the engine says in sentences of its own, in Swedish: refusals of risk with what to do, reasons of the shipped
// strategies, regimes. `{name}` is what the engine put there; `{name!}` is a word or a sentence of ours, too.
// A strategy of one's own, a person and the venue speak as they spoke.

import { currentLanguage, t } from "./words.js";

const SENTENCES = {
  "trading is {state}: {reason}": "handeln är {state!}: {reason}",
  "trading is {state}, so only exits are allowed; {held} is held": "handeln är {state!}, så bara utgångar tillåts; {held} hålls",
  "entries are paused: {reason}": "ingångar är pausade: {reason}",
  "the trading windows ({windows}, {timezone}) are closed until {next_opening}": "handelstiderna ({windows}, {timezone}) är stängda till {next_opening}",
  "{lock_id} by {source} stands in the way until {until_ms}: {reason}": "{lock_id} av {source} står i vägen till {until_ms!}: {reason}",
  "somebody removes it": "någon tar bort det",
  "the trading breaker of {scope} is {state} because of {cause}": "handelns säkring för {scope} är {state!} på grund av {cause}",
  "{symbol} is not among the watched symbols": "{symbol} är inte bland de bevakade symbolerna",
  "{symbol} is quoted in {quote}, and limits are counted in {counted_in}": "{symbol} noteras i {quote}, och gränser räknas i {counted_in}",
  "no price of the symbol is known yet (price {price})": "inget pris på symbolen är känt ännu (pris {price})",
  "the venue has not told the account yet (known: {known})": "börsen har inte berättat om kontot ännu (känt: {known})",
  "our fills say {by_our_fills} is held, the venue keeps {at_the_venue}": "enligt våra avslut hålls {by_our_fills}, börsen har {at_the_venue}",
  "the signal is {lag_ms} ms behind (at most {max_lag_ms}) or of history ({history})": "signalen är {lag_ms} ms efter (högst {max_lag_ms}) eller ur historiken ({history})",
  "the next candle is {overdue_ms} ms late (at most {allowed_ms}), or streams are {stale_ms} ms old": "nästa ljus är {overdue_ms} ms försenat (högst {allowed_ms}), eller strömmar är {stale_ms} ms gamla",
  "our clock and the venue's are {skew_ms} ms apart, at most {allowed_ms} is allowed": "vår klocka och börsens skiljer {skew_ms} ms, högst {allowed_ms} tillåts",
  "{working} orders of the symbol have not ended, the newest {newest}": "{working} ordrar i symbolen är inte avslutade, den nyaste {newest}",
  "there is nothing to close: {held} is held": "det finns inget att stänga: {held} hålls",
  "{quantity} is below the venue's minimum of {minimum}": "{quantity} är under börsens minsta, {minimum}",
  "{quantity} is above the venue's maximum of {maximum}": "{quantity} är över börsens största, {maximum}",
  "the order is worth {notional}, at most {allowed} is allowed": "ordern är värd {notional}, högst {allowed} tillåts",
  "the position would be worth {after} (now {now}), at most {allowed} is allowed": "positionen skulle bli värd {after} (nu {now}), högst {allowed} tillåts",
  "all positions would be worth {after} (now {now}), at most {allowed} is allowed": "alla positioner skulle bli värda {after} (nu {now}), högst {allowed} tillåts",
  "long less short would be {after} (now {now}), at most {allowed} is allowed": "långt minus kort skulle bli {after} (nu {now}), högst {allowed} tillåts",
  "{after} symbols would be held (now {now}), at most {allowed} are allowed": "{after} symboler skulle hållas (nu {now}), högst {allowed} tillåts",
  "one average true range ({atr}) would move {at_risk}, at most {allowed} is allowed": "en genomsnittlig rörelse (ATR {atr}) skulle ändra värdet med {at_risk}, högst {allowed} tillåts",
  "the market is {regime}: the position would be worth {after}, at most {allowed} is allowed there": "marknaden är {regime!}: positionen skulle bli värd {after}, högst {allowed} tillåts där",
  "{lost} of the day's first equity {day_start_equity} is lost (now {equity}), the limit is {allowed}": "{lost} av dagens första kapital {day_start_equity} är förlorat (nu {equity}), gränsen är {allowed}",
  "{lost} of the week's first equity {week_start_equity} is lost (now {equity}), the limit is {allowed}": "{lost} av veckans första kapital {week_start_equity} är förlorat (nu {equity}), gränsen är {allowed}",
  "equity {equity} is {lost} below its peak {peak_equity}, the limit is {allowed}": "eget kapital {equity} är {lost} under sin topp {peak_equity}, gränsen är {allowed}",
  "the strategy's result {result} is {fallen} of equity below its best {best_result}, the limit is {allowed}": "strategins resultat {result} är {fallen} av kapitalet under sitt bästa {best_result}, gränsen är {allowed}",
  "{today} entries were made today, at most {allowed} are allowed": "{today} ingångar gjordes i dag, högst {allowed} tillåts",
  "{today} entries were made in the symbol today, at most {allowed} are allowed": "{today} ingångar gjordes i symbolen i dag, högst {allowed} tillåts",
  "{last_minute} orders went out in the last minute, at most {allowed} may": "{last_minute} ordrar skickades den senaste minuten, högst {allowed} får",
  "the last entry in the symbol was {since_entry_ms} ms ago, {least_ms} must pass": "den senaste ingången i symbolen var för {since_entry_ms} ms sedan, {least_ms} måste gå",
  "{needed} {currency} is needed and {free} is free in the {wallet} wallet": "{needed} {currency} behövs och {free} är fritt i plånboken {wallet}",

  "Nothing: it passes by itself.": "Inget: det går över av sig självt.",
  "Wait, reduce what is held, or have an admin raise the limit.": "Vänta, minska det som hålls, eller låt en administratör höja gränsen.",
  "Find out why, then release the halt (`genesis resume`, admin).": "Ta reda på varför, och släpp sedan stoppet (`genesis resume`, admin).",
  "Release it when new risk is wanted again (`genesis resume`, admin).": "Släpp det när ny risk önskas igen (`genesis resume`, admin).",
  "Resume entries on the page or over the API.": "Återuppta ingångar på sidan eller över API:t.",
  "Wait for the next opening or change `risk.windows`.": "Vänta på nästa öppning eller ändra `risk.windows`.",
  "Wait until it runs out, or remove the lock.": "Vänta tills det går ut, eller ta bort låset.",
  "Look at the cause. It is tried again by itself, or reset it.": "Se på orsaken. Den prövas igen av sig själv, eller återställ den.",
  "Add it to `market.symbols` and restart.": "Lägg till den i `market.symbols` och starta om.",
  "Trade pairs of `quote_currency`, or set it to the other one (an account for each).": "Handla par i `quote_currency`, eller ställ den på den andra (ett konto för varje).",
  "Wait for its first closed candle, a minute where `market.timeframes` has 1m.": "Vänta på dess första stängda ljus, en minut där `market.timeframes` har 1m.",
  "Look at the private connection.": "Se på den privata anslutningen.",
  "Look for orders from elsewhere; entries go on when the two agree.": "Leta efter ordrar från annat håll; ingångar fortsätter när båda stämmer överens.",
  "Nothing: the next candle brings a fresh one.": "Inget: nästa ljus ger en färsk.",
  "Look at the public connections and at the venue.": "Se på de publika anslutningarna och på börsen.",
  "Let the machine's clock be set by NTP.": "Låt maskinens klocka ställas av NTP.",
  "Wait for its end, or cancel it.": "Vänta tills den är klar, eller avbryt den.",
  "Nothing.": "Inget.",
  "Order more, or not at all.": "Beställ mer, eller inget alls.",
  "Order in parts.": "Beställ i delar.",
  "Order less.": "Beställ mindre.",
  "Order less, or wait for a calmer market.": "Beställ mindre, eller vänta på en lugnare marknad.",
  "Wait for the next day.": "Vänta till nästa dag.",
  "Wait for Monday.": "Vänta till måndag.",
  "Decide to live with it: reset the peaks, or halt and resume (admin).": "Bestäm dig för att leva med det: nollställ topparna, eller stoppa och släpp (admin).",
  "Look at the strategy, then reset its peak (admin).": "Se på strategin, och nollställ sedan dess topp (admin).",
  "Order less, or free some. Types that begin with EXCHANGE spend the exchange wallet, others the margin wallet.": "Beställ mindre, eller frigör medel. Typer som börjar med EXCHANGE använder plånboken exchange, andra plånboken margin.",

  "EMA {fast} ({a}) crossed above EMA {slow} ({b})": "EMA {fast} ({a}) korsade upp över EMA {slow} ({b})",
  "EMA {fast} ({a}) crossed below EMA {slow} ({b})": "EMA {fast} ({a}) korsade ner under EMA {slow} ({b})",
  "EMA {fast} ({a}) stays above EMA {slow} ({b})": "EMA {fast} ({a}) ligger kvar över EMA {slow} ({b})",
  "EMA {fast} ({a}) stays below EMA {slow} ({b})": "EMA {fast} ({a}) ligger kvar under EMA {slow} ({b})",
  "EMA {slow} is not known yet: {seen} of {wanted} candles seen": "EMA {slow} är inte känt ännu: {seen} av {wanted} ljus sedda",
  "they are {apart} apart, the average true range is {atr}": "de skiljer {apart}, den genomsnittliga rörelsen (ATR) är {atr}",
  "the channel is not known yet": "kanalen är inte känd ännu",
  "close {close} is above the channel ({upper})": "stängning {close} är över kanalen ({upper})",
  "close {close} is below the channel ({lower})": "stängning {close} är under kanalen ({lower})",
  "close {close}, channel {lower} to {upper}, inside since its last breakout": "stängning {close}, kanal {lower} till {upper}, inne sedan senaste utbrottet",
  "close {close}, channel {lower} to {upper}, outside": "stängning {close}, kanal {lower} till {upper}, ute",
  "RSI {period} is not known yet": "RSI {period} är inte känt ännu",
  "RSI fell to {now}, below {level} (before: {before})": "RSI föll till {now}, under {level} (förut: {before})",
  "RSI rose to {now}, above {level} (before: {before})": "RSI steg till {now}, över {level} (förut: {before})",
  "RSI is {now}, between {low} and {high} or past them": "RSI är {now}, mellan {low} och {high} eller förbi dem",
  "not every voter has had the candles it needs": "alla röstande har inte fått de ljus de behöver",
  "vote {vote} in a {regime} market (trend {trend}, breakout {breakout}, reversion {reversion})": "röst {vote}, marknaden: {regime!} (trend {trend}, utbrott {breakout}, återgång {reversion})",
  "that is at least {enter}, what an entry takes": "det är minst {enter}, som en ingång kräver",
  "that is at most {leave}, where it leaves": "det är högst {leave}, där den går ut",
  "the vote is {vote}, at least {enter}, what an entry takes": "rösten är {vote}, minst {enter}, som en ingång kräver",
  "the vote is {vote}, at most {leave}, where it leaves": "rösten är {vote}, högst {leave}, där den går ut",
  "the vote is {vote}": "rösten är {vote}",
  "{member} (weight {weight}) votes {vote}: {why}": "{member} (vikt {weight}) röstar {vote}: {why!}",
  "{member} (weight {weight}) votes {vote}": "{member} (vikt {weight}) röstar {vote}",
  "the model's features are not all known yet": "modellens indata är inte alla kända ännu",
  "probability {said} (base rate {base})": "sannolikhet {said} (grundfrekvens {base})",
  "the voters would enter, the model wants {wanted}": "de röstande skulle gå in, modellen kräver {wanted}",
  "no prediction has been resolved yet": "ingen förutsägelse är avgjord ännu",
  "of its last predictions it said {said} and {came} came: more than chance allows ({allowed}), so size is {trust}": "om sina senaste förutsägelser sade den {said} och {came} kom: mer än slumpen tillåter ({allowed}), så storleken är {trust}",
  "of its last predictions it said {said} and {came} came, within what chance allows ({allowed})": "om sina senaste förutsägelser sade den {said} och {came} kom, inom vad slumpen tillåter ({allowed})",
  "{unknown} of {all} indicators are not known yet": "{unknown} av {all} indikatorer är inte kända ännu",

  "Buys a close above the highest high of the bars before it, sells one below their lowest low.": "Köper en stängning över den högsta toppen av staplarna före, säljer en under deras lägsta botten.",
  "Long while the fast average is above the slow one, flat while it is below.": "Äger medan det snabba medelvärdet är över det långsamma, äger inget medan det är under.",
  "Strategies of any kind vote with weights; name them as `members`.": "Strategier av alla slag röstar med vikter; nämn dem som `members`.",
  "The ensemble proposes, a calibrated model must think that it pays, and drift lowers size.": "Ensemblen föreslår, en kalibrerad modell måste tro att det lönar sig, och drift sänker storleken.",
  "Trend, breakout and reversion vote with weights, and the regime says who is heard.": "Trend, utbrott och återgång röstar med vikter, och regimen säger vem som hörs.",
  "Buys when the RSI falls below one level, sells when it rises above another.": "Köper när RSI faller under en nivå, säljer när det stiger över en annan.",

  "not sent: {why}": "inte skickad: {why!}",
  "{strategy} said sell before it could leave": "{strategy} sade sälj innan den kunde skickas",
  "trading was halted before it could leave: {why}": "handeln stoppades innan den kunde skickas: {why}",
  "trading was set to reducing before it could leave: {why}": "handeln sattes till bara utgångar innan den kunde skickas: {why}",
  "trading was paused before it could leave: {why}": "handeln pausades innan den kunde skickas: {why}",
  "entries in {what} were locked by {source} before it could leave: {why}": "ingångar i {what} låstes av {source} innan den kunde skickas: {why}",
  "the trading breaker of all symbols opened before it could leave: {why}": "handelns säkring för alla symboler löste ut innan den kunde skickas: {why}",
  "the trading breaker of {symbol} opened before it could leave: {why}": "handelns säkring för {symbol} löste ut innan den kunde skickas: {why}",
  "{strategy} was disabled before it could leave": "{strategy} stängdes av innan den kunde skickas",
  "{strategy} was removed before it could leave": "{strategy} togs bort innan den kunde skickas",
  "{strategy} was given another symbol before it could leave": "{strategy} fick en annan symbol innan den kunde skickas",
  "{strategy} failed before it could leave: {why}": "{strategy} misslyckades innan den kunde skickas: {why}",
  "the trading window closed before it could leave": "handelstiden tog slut innan den kunde skickas",
  "signal_too_old: its age must be below {limit} s, was {age} s": "signalen är för gammal: den måste vara under {limit} s, var {age} s",
  "trading is halted: {why}": "handeln är stoppad: {why}",
  "nothing is left of its position": "inget är kvar av positionen",

  "too few candles to say": "för få ljus för att säga något",
  "went up {deviations} deviations of a walk without direction, ADX {adx}": "gick upp {deviations} avvikelser av en vandring utan riktning, ADX {adx}",
  "went down {deviations} deviations of a walk without direction, ADX {adx}": "gick ner {deviations} avvikelser av en vandring utan riktning, ADX {adx}",
  "ranges are {times} times the usual": "rörelserna är {times} gånger de vanliga",
  "fell {moves} usual moves from its high, ranges are {times} times the usual": "föll {moves} vanliga rörelser från sin topp, rörelserna är {times} gånger de vanliga",
  "went nowhere: {deviations} deviations, ADX {adx}, ranges {times} times the usual": "gick ingenstans: {deviations} avvikelser, ADX {adx}, rörelser {times} gånger de vanliga",
  "{market}: {before} became {regime}: {why}": "{market}: {before!} blev {regime!}: {why!}",
};

const NAME = /\{(\w+)(!?)\}/g;
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

// Each sentence as a pattern, the names of its places, and its Swedish; what has no place apart. Other modules bring more.
const known = [];
const fixed = new Map();
export const learn = (words) => Object.entries(words).forEach(([english, swedish]) => fixed.set(english, swedish));

export function sentences(more) {
  for (const [english, swedish] of Object.entries(more)) {
    if (!english.includes("{")) fixed.set(english, swedish);
    else {
      const pattern = new RegExp(`^${english.split(/\{\w+\}/).map(escaped).join("(.*?)")}$`, "s");
      known.push({ pattern, names: [...english.matchAll(NAME)].map((found) => found[1]), swedish });
    }
  }
}

sentences(SENTENCES);

const kept = new Map();
const KEPT = 2000;

function translated(text) {
  if (fixed.has(text)) return fixed.get(text);
  for (const { pattern, names, swedish } of known) {
    const found = pattern.exec(text);
    if (!found) continue;
    const values = Object.fromEntries(names.map((name, at) => [name, found[at + 1]]));
    return swedish.replace(NAME, (_, name, ours) => (ours ? word(values[name]) : values[name]));
  }
  return text;
}

const word = (text) => (t(text) === text ? translated(text) : t(text));

export function spoken(text) {
  if (currentLanguage() !== "sv" || !text) return text;
  if (fixed.has(text)) return fixed.get(text);
  if (!kept.has(text)) {
    if (kept.size >= KEPT) kept.clear();
    kept.set(text, translated(text));
  }
  return kept.get(text);
}
