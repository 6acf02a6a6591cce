// The page's words in English and Swedish. What the engine says in sentences is in reasons.js, what it refuses with in
// refusals.js; what a person, a strategy of their own or the venue said stays as it was said.

import { changed, useTopics } from "./store.js";

const sv = {
  "Strategies": "Strategier", "Model": "Modell", "Backtests": "Backtester", "Logs": "Logg", "Settings": "Inställningar", "Proof": "Bevis",
  "Pages": "Sidor", "More": "Mer", "Overview": "Översikt", "Console": "Konsol", "Chart": "Diagram", "Account": "Konto", "Inside": "Inuti", "Amend": "Ändra", "Quantity that remains": "Antal som återstår", "Skip to the page": "Hoppa till sidan", "Try again": "Försök igen",
  "Nothing is here": "Här finns inget", "Newer": "Nyare", "Older": "Äldre", "to": "till", "Table": "Tabell",
  "Live": "Ansluten", "Connecting": "Ansluter", "Lost": "Avbruten", "Silent": "Tyst",
  "Connection lost": "Anslutningen bröts", "No word from the engine": "Motorn säger inget",
  "for": "sedan", "Trying again": "Försöker igen", "Old data": "Gamla data", "Older ones are on the page Decisions.": "Äldre finns på sidan Beslut.", "No decisions since the start": "Inga beslut sedan starten", "What you see is old.": "Det du ser är gammalt.",
  "Fresh data": "Färska data", "stale": "gamla", "No streams": "Inga strömmar", "Venue time": "Börstid",
  "Replay": "Uppspelning", "speed": "fart", "done": "klar", "Equity": "Eget kapital", "Today": "I dag", "Session": "Sessionen",
  "Cash": "Kassa", "Unrealized": "Orealiserat", "Realized": "Realiserat", "Fees": "Avgifter", "Wallets": "Plånböcker",
  "Positions": "Positioner", "Orders": "Ordrar", "Trades": "Avslut", "Signals": "Signaler", "Decisions": "Beslut",
  "Risk": "Risk", "Actors": "Aktörer", "Data freshness": "Dataålder", "Connections": "Anslutningar", "Notices": "Meddelanden",
  "Symbol": "Symbol", "Side": "Sida", "Type": "Typ", "Quantity": "Antal", "Price": "Pris", "Average": "Snitt",
  "Mark": "Värdering", "Value": "Värde", "State": "Läge", "Time": "Tid", "Filled": "Fyllt", "Fee": "Avgift",
  "Purpose": "Syfte", "Strategy": "Strategi", "Reason": "Orsak", "Reasons": "Orsaker", "Confidence": "Visshet",
  "Verdict": "Utslag", "Says": "Säger", "Why": "Varför", "approved": "godkänd", "denied": "nekad", "nothing to do": "inget att göra",
  "Nothing held, nothing to sell": "Inget hålls, inget att sälja", "Nothing held, nothing to close": "Inget hålls, inget att stänga",
  "Open": "Öppna", "All": "Alla", "Denied": "Nekade", "Without hold": "Utan vänta", "Close": "Stäng", "Cancel": "Avbryt", "Cancel all": "Avbryt alla",
  "Pause": "Pausa", "Resume": "Återuppta", "Halt": "Stoppa", "Release": "Släpp stopp", "Flatten": "Sälj allt",
  "Kill": "Döda", "Restarts": "Omstarter", "Mailbox": "Brevlåda", "Last error": "Senaste fel", "Status": "Status",
  "Since": "Sedan", "Stream": "Ström", "Age": "Ålder", "Limit": "Gräns", "Reconnects": "Återanslutningar", "Frames": "Ramar",
  "Currency": "Valuta", "Balance": "Saldo", "Available": "Tillgängligt", "Wallet": "Plånbok", "Actor": "Aktör",
  "Entries today": "Ingångar i dag", "Denials": "Nekanden", "used": "använt", "of": "av", "none": "inga",
  "Peak": "Topp", "Day start": "Dagens början", "Drawdown": "Nedgång", "Max drawdown": "Största nedgång",
  "running": "körs", "starting": "startar", "backing off": "väntar på omstart", "stopping": "stoppas", "stopped": "stoppad", "zombie": "zombie",
  "one for one": "var för sig", "one for all": "alla för en", "rest for one": "den och de efter",
  "info": "info", "warning": "varning", "alarm": "larm",
  "ACTIVE": "AKTIV", "REDUCING": "MINSKAR", "HALTED": "STOPPAD", "PAUSED": "PAUSAD",
  "buy": "köp", "sell": "sälj", "hold": "vänta", "entry": "ingång", "exit": "utgång", "stop": "stopp", "target": "mål",
  "Indicators": "Indikatorer", "Time frame": "Tidsram", "Move": "Flytta",
  "Stop price": "Stoppris", "Target price": "Målpris", "At the stop, before fees": "Vid stoppet, före avgifter",
  "The market is there already: it would trade at once.": "Marknaden är redan där: den skulle handlas genast.",
  "Stop": "Stopp", "Target": "Mål", "Rests at the venue": "Vilar på börsen", "Rest": "Resten", "missing": "saknas", "short": "för liten",
  "doubled": "dubbel", "worst": "längst", "Without a stop, p99": "Utan stopp, p99",
  "Longest time that a position had no stop at the venue": "Längsta tid som en position saknade stopp på börsen",
  "flatten": "sälj allt", "manual": "manuell", "maker": "maker", "taker": "taker",
  "Loading": "Läser in", "No open positions": "Inga öppna positioner",
  "Nothing is held. A position appears here with the first fill.": "Inget hålls. En position visas här vid första avslutet.",
  "No orders": "Inga ordrar", "Orders appear when risk approves a signal.": "Ordrar visas när risk godkänner en signal.",
  "No open orders": "Inga öppna ordrar",
  "No trades yet": "Inga avslut ännu", "Every fill is listed here with its fee.": "Varje avslut listas här med sin avgift.",
  "from history": "ur historien", "Said of a candle that was over long ago: nothing is traded by it": "Sagt om ett ljus som var över för länge sedan: inget handlas på det",
  "No signals yet": "Inga signaler ännu", "Strategies speak when a candle closes.": "Strategier talar när ett ljus stänger.",
  "Risk judges every intent; refusals come with their numbers.": "Risk bedömer varje avsikt; nekanden visas med sina tal.",
  "No notices": "Inga meddelanden", "All quiet.": "Allt lugnt.", "The account is not known yet": "Kontot är inte känt ännu",
  "Risk has not spoken yet": "Risk har inte talat ännu", "The tree is not known yet": "Trädet är inte känt ännu",
  "No candles yet": "Inga ljus ännu", "The first ones arrive with the stream.": "De första kommer med strömmen.",
  "Not enough points for a line yet": "Ännu för få punkter för en linje",
  "Are you sure?": "Är du säker?", "Yes": "Ja", "No": "Nej", "Go back": "Tillbaka", "Write": "Skriv", "to confirm": "för att bekräfta",
  "New entries stop; exits and stops go on.": "Nya ingångar stoppas; utgångar och stopp fortsätter.",
  "Strategies may enter again.": "Strategier får gå in igen.",
  "Nothing is traded until somebody releases it, also after a restart.": "Inget handlas förrän någon släpper stoppet, inte heller efter omstart.",
  "Trading becomes ACTIVE again.": "Handeln blir AKTIV igen.",
  "Every order is cancelled and everything held is sold at market.": "Varje order avbryts och allt som hålls säljs till marknadspris.",
  "Orders in this symbol are cancelled and the position is closed at market.": "Ordrar i symbolen avbryts och positionen stängs till marknadspris.",
  "The order is taken back.": "Ordern tas tillbaka.", "Every open order of the engine is taken back.": "Varje öppen order från motorn tas tillbaka.",
  "The actor crashes now; its supervisor restarts it and no order is lost or doubled.": "Aktören kraschar nu; övervakaren startar om den och ingen order tappas eller dubbleras.",
  "Your token does not allow this": "Din nyckel tillåter inte detta",
  "Sign in": "Logga in", "Sign out": "Logga ut", "Token or secret": "Nyckel eller hemlighet",
  "Open the link that the engine printed at its start, or run": "Öppna länken som motorn skrev vid start, eller kör",
  "for a new one. You can also paste a token or the engine's secret.": "för en ny. Du kan också klistra in en nyckel eller motorns hemlighet.",
  "No token is asked for (AUTH_REQUIRED=False). Simulated money only.": "Ingen nyckel krävs (AUTH_REQUIRED=False). Endast låtsaspengar.",
  "Dev mode: tokens are given without proof. Simulated money only.": "Utvecklarläge: nycklar ges utan bevis. Endast låtsaspengar.",
  "Theme": "Tema", "Language": "Språk", "Help": "Hjälp", "Keyboard": "Tangentbord", "Next symbol": "Nästa symbol",
  "Next time frame": "Nästa tidsram", "foreign": "främmande",
  "Placed on this account, but not by this engine: by hand, or with another key. If it was not you, delete the account's API keys.": "Lagd på kontot, men inte av den här motorn: för hand eller med en annan nyckel. Var det inte du, ta bort kontots API-nycklar.",
  "Foreign orders are shown and left alone": "Främmande ordrar visas och lämnas i fred",
  "What one coin cost, with its fee": "Vad ett mynt kostade, med avgiften",
  "Realized is what sales brought over what the coins had cost, with fees: a fee taken in coins makes the others dearer, any other counts at once. Where several strategies hold a symbol each counts by its own average, the account by that of all.":
    "Realiserat är vad försäljningar gav över vad mynten hade kostat, med avgifter: en avgift som tas i mynt gör de andra dyrare, varje annan räknas genast. Där flera strategier håller en symbol räknar var och en med sitt eget snitt, kontot med allas.",
  "exit waits": "utgång väntar", "An exit closes this and has not left yet: it waits for coins that a stop holds, or for the venue": "En utgång stänger detta och har inte skickats än: den väntar på mynt som ett stopp håller, eller på börsen",
  "from before": "från förr", "were there before the engine: what they brought is no profit": "fanns före motorn: det de gav är ingen vinst",
  "High": "Högst", "Low": "Lägst", "Volume": "Volym", "Bid": "Köp", "Ask": "Sälj", "day": "dygn",
  "up-time": "drifttid", "settings": "inställning", "API": "API", "rules": "regler", "passed": "godkänd", "refused": "nekad",
  "Audit": "Granskning", "Code": "Kod", "Search": "Sök", "Nothing found": "Inget hittat",
  "No decision of the journal fits the filters.": "Inget beslut i journalen passar filtren.",
  "The engine starts": "Motorn startar", "The engine starts and waits for the venue": "Motorn startar och väntar på börsen",
  "The engine starts and waits for the market": "Motorn startar och väntar på marknaden", "Nothing is traded until it runs.": "Inget handlas förrän den är igång.",
  "Trading windows": "Handelstider", "open": "öppet", "closed": "stängt", "opens": "öppnar", "closes": "stänger",
  "everything": "allt", "until removed": "tills det tas bort", "Unlock": "Lås upp", "breaker": "säkring", "Reset": "Återställ",
  "Entries are allowed there again.": "Ingångar tillåts där igen.", "Lock all": "Lås allt", "Reset peaks": "Nollställ toppar",
  "The breaker closes now; it opens again if the cause comes back.": "Säkringen sluts nu; den löser ut igen om orsaken kommer tillbaka.",
  "No entries for an hour; exits and stops go on.": "Inga ingångar på en timme; utgångar och stopp fortsätter.",
  "Drawdown is measured from here on.": "Nedgång mäts härifrån.",
  "daily loss": "dagens förlust", "weekly loss": "veckans förlust", "drawdown": "nedgång", "position notional": "position", "gross exposure": "bruttoexponering", "net exposure": "nettoexponering",
  "open positions": "öppna positioner", "trades per day": "affärer per dag", "trades per symbol": "affärer per symbol", "orders per minute": "ordrar per minut", "strategy drawdown": "strategins nedgång",
  "trend up": "uppåttrend", "trend down": "nedåttrend", "range": "sidledes", "high volatility": "hög volatilitet", "crash": "ras", "unknown": "okänd",
  "Regime": "Regim", "Spread": "Spread", "spread": "spread", "Range": "Spann", "Switch on": "Slå på", "Switch off": "Slå av", "Approved": "Godkända",
  "warming up": "värms upp", "candles": "ljus", "about": "ungefär", "left": "kvar", "It enters nothing before it has seen enough candles.": "Den går inte in förrän den har sett nog många ljus.",
  "before": "tidigare", "New order": "Ny order", "Why (optional)": "Varför (valfritt)", "must be": "måste vara",
  "waiting": "väntar", "leased": "i arbete", "never": "aldrig", "Refused": "Nekat", "Sent": "Skickat",
};

let language = localStorage.getItem("genesis.language") || (navigator.language.startsWith("sv") ? "sv" : "en");
document.documentElement.lang = language;

export const currentLanguage = () => language;

export function setLanguage(next) {
  language = next;
  localStorage.setItem("genesis.language", next);
  document.documentElement.lang = next;
  changed("words");
}

// Words of parts that several pages show: English to Swedish.
export const addWords = (more) => Object.assign(sv, more);

const covered = new Map();
let shown = null;

// The open page's own words. They hold while it is open: which pages were opened before changes no word of it.
export function pageWords(words) {
  if (shown === words) return;
  for (const [text, before] of covered) {
    if (before === undefined) delete sv[text];
    else sv[text] = before;
  }
  covered.clear();
  shown = words;
  for (const [text, swedish] of Object.entries(words)) {
    covered.set(text, sv[text]);
    sv[text] = swedish;
  }
}

export const t = (text) => (language === "sv" && sv[text]) || text;

export function useWords() {
  useTopics("words");
  return t;
}

// What realized profit is, told wherever it is shown.
export const realizedWords = () => t("Realized is what sales brought over what the coins had cost, with fees: a fee taken in coins makes the others dearer, any other counts at once. Where several strategies hold a symbol each counts by its own average, the account by that of all.");
