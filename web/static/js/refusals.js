// What the API says when it says no, and in a few sentences when it says yes, in Swedish: forms, tickets and toasts show
// it. The API itself speaks English to programs. `{name}` and `{name!}` are as in reasons.js.

import { sentences, spoken } from "./reasons.js";
import { ApiProblem } from "./session.js";

sentences({
  "the engine does not answer": "motorn svarar inte",
  "a bearer token is needed": "en nyckel behövs",
  "the token has expired": "nyckeln har gått ut", "the token is not valid yet": "nyckeln gäller inte ännu",
  "the token was revoked": "nyckeln är återkallad", "the token lives longer than any token may": "nyckeln lever längre än någon nyckel får",
  "the token is signed with a key that is not in use": "nyckeln är signerad med något som inte används",
  "the ticket is unknown, was used before, or is too old": "länken är okänd, har använts förut eller är för gammal",
  "a session must be opened anew after {hours} hours": "en session måste öppnas på nytt efter {hours} timmar",
  "the proof must be the bootstrap secret or a valid admin token": "beviset måste vara motorns hemlighet eller en giltig admin-nyckel",
  "a token is minted only against the bootstrap secret or an admin token": "en nyckel ges bara mot motorns hemlighet eller en admin-nyckel",
  "a ticket is given only against the bootstrap secret, over loopback": "en länk ges bara mot motorns hemlighet, på den egna maskinen",
  "a token of {from} scope must not mint one of {scope} scope": "en {from}-nyckel får inte ge en {scope}-nyckel",
  "the token's scope must be {scope} or above, was {was}": "nyckelns behörighet måste vara minst {scope}, var {was}",
  "tokens are minted over loopback or with `genesis token` only": "nycklar ges bara på den egna maskinen eller med `genesis token`",
  "exactly one of jti and everything must be given": "precis en av jti och everything måste anges",
  "too many requests": "för många frågor", "too many failed tokens from this address": "för många felaktiga nycklar från den här adressen",
  "too many failed proofs from this address": "för många felaktiga bevis från den här adressen",
  "this engine does not have that control": "den här motorn har inte den funktionen",
  "the engine made a mistake; its log has more under this id": "motorn gjorde ett fel; dess logg har mer under detta id",
  "requests from other sites are not answered": "frågor från andra webbplatser besvaras inte",
  "there is nothing at this address; /docs lists what there is": "det finns inget på den adressen; /docs visar vad som finns",
  "the body must arrive within {seconds} s": "innehållet måste komma inom {seconds} s",
  "{what} cannot take more commands now": "{what} kan inte ta emot fler kommandon nu",
  "orders": "ordrarna", "configuration": "inställningarna", "the jobs": "jobben", "the journal": "journalen",
  "the engine starts and waits since {since} UTC for {what} ({why})": "motorn startar och väntar sedan {since} UTC på {what!} ({why})",
  "the engine starts and waits since {since} UTC for {what}": "motorn startar och väntar sedan {since} UTC på {what!}",
  "the venue, which does not answer": "börsen, som inte svarar", "the public market feed": "den öppna marknaden", "its own records, which it reads": "sitt eget arkiv, som läses",

  "risk refused the order: {why}": "risk nekade ordern: {why!}", "not now: {why}": "inte nu: {why!}",
  "risk has not answered yet": "risk har inte svarat ännu", "risk has not spoken yet": "risk har inte sagt något ännu",
  "the order must be open, it has ended": "ordern måste vara öppen, den är avslutad", "the order must be open, was {state}": "ordern måste vara öppen, var {state}",
  "order must be open, was {state}": "ordern måste vara öppen, var {state}", "order must be one of ours, was {id}": "ordern måste vara en av våra, var {id}",
  "no order is known by {id}": "ingen order är känd som {id}", "the order must not be on its way out, its cancel is under way": "ordern är på väg ut, den avbryts just nu",
  "this order was not placed by the engine; it is shown and left alone": "den här ordern lades inte av motorn; den visas och lämnas i fred",
  "this order protects the position in {symbol} and would come back: move it (PATCH), or close the position": "den här ordern skyddar positionen i {symbol} och skulle komma tillbaka: flytta den, eller stäng positionen",
  "price, quantity or stop_price must be given, were all absent": "pris, antal eller stoppris måste anges, alla saknades",
  "stop_price must be absent for an order that is not the stop of a position: change its price, or cancel it and place another": "stoppris får inte anges för en order som inte är en positions stopp: ändra dess pris, eller avbryt den och lägg en ny",
  "trading must not be halted: until it is resumed only stops of positions are moved, and orders cancelled": "handeln är stoppad: tills den släpps flyttas bara positioners stopp, och ordrar avbryts",
  "{heir} holds {what} already: which levels hold for both would be a guess. Close one of them first": "{heir} håller redan {what}: vilka nivåer som gäller båda vore en gissning. Stäng en av dem först",
  "exactly one of tradeid and symbol must be given, or both the same": "precis en av tradeid och symbol måste anges, eller båda samma",
  "no wish to flatten is known by {id}: it was not heard yet, or is older than the newest": "ingen begäran att sälja allt är känd som {id}: den har inte hörts ännu, eller är äldre än de nyaste",
  "no position in {symbol} is held": "ingen position i {symbol} hålls", "{owner} holds nothing of {symbol}": "{owner} håller inget av {symbol}", "{owner} holds nothing": "{owner} håller inget",
  "nothing of {symbol} is held or ordered; there is: {there}": "inget av {symbol} hålls eller är beställt; det finns: {there}",
  "no template is called {name}": "ingen mall heter {name}", "the template could not be written: {why}": "mallen kunde inte skrivas: {why}", "the templates could not be written: {why}": "mallarna kunde inte skrivas: {why}",
  "{name} must be new for a new order, stands for another one": "{name} måste vara nytt för en ny order, står för en annan",

  "the venue said no: {why}": "börsen sade nej: {why}", "the venue gave no answer: {why}": "börsen svarade inte: {why}",
  "nothing was moved: {why}": "inget flyttades: {why}", "what came of {what} must be known first": "vad det blev av {what} måste vara känt först",
  "{id} must be new for a new transfer, stands for another": "{id} måste vara nytt för en ny överföring, står för en annan",
  "the venue's ledger must show {what} first, does not yet": "börsens huvudbok måste visa {what} först, gör det inte ännu",
  "the private line must be up to tell of a transfer, was not: try again": "den privata linjen måste vara uppe för en överföring, var inte det: försök igen",
  "the disk has no room to keep the transfer, so it was not asked": "disken har inte plats att spara överföringen, så den begärdes inte",
  "{just}at most {left} {currency} may be moved: positions have more": "{just}högst {left} {currency} får flyttas: positionerna har mer",
  "the account is not known yet": "kontot är inte känt ännu", "the account has no equity yet": "kontot har inget kapital ännu",
  "the year could not be worked out: {why}": "året kunde inte räknas ut: {why}", "this engine cannot ask the venue for its ledger": "den här motorn kan inte fråga börsen om dess huvudbok",
  "this engine cannot ask the venue about markets": "den här motorn kan inte fråga börsen om marknader", "this engine has no market of its own": "den här motorn har ingen egen marknad",
  "no ticker of {symbol} is known": "inget pris på {symbol} är känt", "no candles of {symbol} {timeframe} are known": "inga ljus av {symbol} {timeframe} är kända",
  "no regime of {symbol} is known": "ingen regim för {symbol} är känd", "{symbol} is not among the symbols that this engine hears": "{symbol} är inte bland symbolerna som motorn hör",

  "no setting is called {name}; did you mean {near}?": "ingen inställning heter {name}; menade du {near}?", "no setting is called {name}": "ingen inställning heter {name}",
  "no strategy in the settings is called {name}; did you mean {near}?": "ingen strategi i inställningarna heter {name}; menade du {near}?", "no strategy in the settings is called {name}": "ingen strategi i inställningarna heter {name}",
  "another change came first: {what}": "en annan ändring kom före: {what!}", "version {version} stays in force: {why}": "version {version} gäller fortfarande: {why!}",
  "the change is under way and not confirmed yet": "ändringen är på väg och inte bekräftad ännu", "the configuration is not known yet": "inställningarna är inte kända ännu",
  "there is no settings version {version}": "det finns ingen inställningsversion {version}", "changes or cleared must name a key, were empty": "ändringen måste nämna en inställning, nämnde ingen",
  "no feature flag is called {name}": "ingen flagga heter {name}", "no rollout is under way": "ingen utrullning pågår", "{what} takes a token of admin scope": "{what} kräver en admin-nyckel",
  "one of changes and config must be given": "en av changes och config måste anges", "one of version and snapshot must be given": "en av version och snapshot måste anges",
  "documents must not be nested that deeply": "dokument får inte vara nästlade så djupt", "{name} must not be in the audit trail: it is a secret": "{name} får inte stå i granskningen: den är hemlig",
  "If-Match must be the entity tag of an answer about the configuration": "If-Match måste vara etiketten på ett svar om inställningarna",
  "loosening {what} takes a token of admin scope": "att lätta på {what} kräver en admin-nyckel", "{name} must be a limit of risk, was unknown": "{name} måste vara en riskgräns, var okänd",
  "windows must open at some time, was never: pause trading instead": "handelstiderna måste öppna någon gång, gör det aldrig: pausa handeln i stället",
  "no lock is called {name}": "inget lås heter {name}", "no breaker of {scope} ever opened": "ingen säkring för {scope} har löst ut",
  "parameters must differ from the live ones, or kind be given, did not": "parametrarna måste skilja sig från de skarpa, eller en annan sort anges",
  "parameters must be given, unless enabled is, was absent": "parametrar måste anges, om inte enabled är det, saknades",
  "this engine does no jobs": "den här motorn kör inga jobb", "no job is called {name}": "inget jobb heter {name}", "no search is called {name}": "ingen sökning heter {name}", "the result of this job is gone": "jobbets resultat är borta",

  "trouble can be made in sim mode only": "fel kan bara provas i läget sim", "one of kill and fault must be given": "en av kill och fault måste anges",
  "no actor is called {name}": "ingen aktör heter {name}", "no actor that runs is called {name}": "ingen aktör som körs heter {name}", "no actor with a mailbox is called {name}": "ingen aktör med brevlåda heter {name}",
  "{name} waits for its next message to hang already": "{name} väntar redan på sitt nästa meddelande för att hänga sig", "the venue is in maintenance already": "börsen underhålls redan",
  "{fault} needs an actor: a path in the tree, as engine/trading/order": "{fault} behöver en aktör: en plats i trädet, som engine/trading/order", "no dead letter has number {number}": "inget dött brev har nummer {number}",

  "a JSON body must be sent, was empty": "ett JSON-innehåll måste skickas, var tomt", "a GET request must not have a body": "en GET-fråga får inte ha innehåll",
  "the body must be JSON, and was cut off, nested too deeply, or something else": "innehållet måste vara JSON, och var avhugget, för djupt nästlat eller något annat", "the body must be JSON: {why}": "innehållet måste vara JSON: {why}",
  "a name must stand once in an object, {name} stands twice": "ett namn får stå en gång i ett objekt, {name} står två gånger",
  "the query parameter {name} must be given once, was given {times} times": "frågeparametern {name} måste anges en gång, angavs {times} gånger",
  "{name} must be a name without slashes, was not": "{name} måste vara ett namn utan snedstreck, var inte det",
  "job_id must be a name without slashes, was not": "job_id måste vara ett namn utan snedstreck, var inte det",
  // What a field must be and was; behind the longer sentences, which say more.
  "{field} must be {what}, was {was} (did you mean {near}?)": "{field!} måste vara {what!}, var {was!} (menade du {near}?)",
  "{field} must be {what}, was {was}": "{field!} måste vara {what!}, var {was!}",
  "must be {what}": "måste vara {what!}",
});

// What it answers with when something was done.
sentences({
  "cancel of {id} is on its way": "avbrottet av {id} är på väg", "cancel of every open order is on its way": "avbrottet av varje öppen order är på väg", "change of {id} is on its way": "ändringen av {id} är på väg",
  "{symbols} went from {owner} to {heir}, with the stops around it": "{symbols} gick från {owner} till {heir}, med sina stopp", "{symbols} went from {owner} to {heir}": "{symbols} gick från {owner} till {heir}",
  "closing {what}": "stänger {what!}", "everything": "allt",
  "under way: risk has it and has not answered yet, GET {path} will show it. Wanted: {done}": "på väg: risk har det och har inte svarat ännu, GET {path} visar det. Önskat: {done!}",
  "entries are paused": "ingångar är pausade", "entries are allowed again": "ingångar är tillåtna igen", "entries in {what} are locked": "ingångar i {what!} är låsta", "{id} is removed": "{id} är borttaget",
  "trading state set to {state}; drawdown is measured from here on": "handeln är nu {state!}; nedgång mäts härifrån", "trading state set to {state}": "handeln är nu {state!}", "trading was {state} already; nothing is changed": "handeln var redan {state!}; inget ändras",
  "trading breaker of {scope} is closed": "handelns säkring för {scope!} är sluten", "every scope": "allt", "drawdown of {what} is measured from now on": "nedgången för {what!} mäts från nu", "the account and every strategy": "kontot och varje strategi",
  "settings version {version}: {keys} changed; {done}": "inställningarnas version {version}: {keys!} ändrades; {done!}", "settings version {version}: {keys} changed": "inställningarnas version {version}: {keys!} ändrades", "nothing": "inget", "no value": "inget värde",
  "template {name} is gone": "mallen {name} är borta", "the alert at {price} is gone": "larmet vid {price} är borta", "{number} faults were mended": "{number} fel lagades",
  "{path} was killed; its supervisor takes it from here": "{path} dödades; dess övervakare tar vid",
  "moved: {what}": "flyttat: {what!}", "whether it was moved is not known yet: {what}": "om det flyttades är inte känt ännu: {what!}", "{amount} {currency} from {from} to {to}": "{amount} {currency} från {from} till {to}",
  "post_only is ignored: a {type} order does not rest": "post_only bortses från: en {type}-order vilar inte", "hidden is ignored: a {type} order does not rest": "hidden bortses från: en {type}-order vilar inte",
  "reduce_only is ignored: the exchange wallet cannot go below zero": "reduce_only bortses från: plånboken exchange kan inte gå under noll",
  "{amount} of it are coins of {strategy}: its stop grows smaller by as much, and what they bring stands in its book": "{amount} av det är mynt som {strategy} äger: dess stopp blir så mycket mindre, och det de ger står i dess bok",
});

// What a value must be, and some that it was.
sentences({
  "the body": "innehållet", "a field of {name}": "ett fält i {name}", "a field": "ett fält", "each name in {name}": "varje namn i {name}",
  "absent": "saknas", "given": "angivet", "unknown": "okänt", "another one": "något annat", "none": "inget", "a known name": "ett känt namn", "set": "satt", "one more": "ett till",
  "true or false": "true eller false", "a whole number": "ett heltal", "a number": "ett tal", "text": "text", "a list": "en lista", "an object": "ett objekt", "any value": "vad som helst", "finite and positive": "ett tal över 0",
  "absent: none is known": "borta: inget är känt", "empty": "tomt", "not": "inte det", "changed": "ändrat", "both": "båda",
  "a whole number of {low} to {high}": "ett heltal från {low} till {high}", "a number of {low} to {high}": "ett tal från {low} till {high}",
  "a whole number above {low} and at most {high}": "ett heltal över {low} och högst {high}", "a number above {low} and at most {high}": "ett tal över {low} och högst {high}",
  "a whole number above {low}": "ett heltal över {low}", "a whole number at least {low}": "ett heltal på minst {low}", "a whole number at most {high}": "ett heltal på högst {high}",
  "a number above {low}": "ett tal över {low}", "a number at least {low}": "ett tal på minst {low}", "a number at most {high}": "ett tal på högst {high}",
  "text of {low} to {high} characters": "text på {low} till {high} tecken", "text of at most {high} characters": "text på högst {high} tecken", "text of at least {low} characters": "text på minst {low} tecken", "text of {many} characters": "text på {many} tecken",
  "text that matches {pattern}": "text som följer {pattern}", "one of {names}": "något av {names}",
  "a list of {low} to {high} items": "en lista på {low} till {high}", "a list of at most {high} items": "en lista på högst {high}", "a list of at least {low} items": "en lista på minst {low}",
  "an object of at most {high} fields": "ett objekt med högst {high} fält", "an object of at least {low} fields": "ett objekt med minst {low} fält", "an object of {low} to {high} fields": "ett objekt med {low} till {high} fält",
  "1 to {high} letters, digits and {signs}": "1 till {high} bokstäver, siffror och {signs}", "1 to 40 of a-z and _": "1 till 40 av a-z och _", "1 to 40 of a-z, 0-9, ., _ and -, a letter first": "1 till 40 av a-z, 0-9, ., _ och -, en bokstav först",
  "1 to 64 letters, digits and _.-, a letter or digit first": "1 till 64 bokstäver, siffror och _.-, en bokstav eller siffra först",
  "a currency such as USD": "en valuta som USD", "a funding symbol such as fUSD": "en lånesymbol som fUSD", "a symbol such as tBTCUSD": "en symbol som tBTCUSD", "a trading symbol such as tBTCUSD": "en handelssymbol som tBTCUSD",
  "a trading symbol such as tBTCUSD, or all": "en handelssymbol som tBTCUSD, eller all", "all, or a symbol such as tBTCUSD": "all, eller en symbol som tBTCUSD",
  "of at most 8 decimals": "på högst 8 decimaler", "of at most {digits} significant digits (and 8 decimals)": "på högst {digits} värdesiffror (och 8 decimaler)",
  "smaller than {size} and have at most {decimals} decimals": "mindre än {size} och ha högst {decimals} decimaler",
  "above the entry's price {price}": "över ingångens pris {price}", "below the entry's price {price}": "under ingångens pris {price}", "above the stop {price}": "över stoppet {price}", "below the stop {price}": "under stoppet {price}",
  "above the price {price}": "över priset {price}", "below the price {price}": "under priset {price}",
  "at least {low}": "minst {low}", "at most {high}": "högst {high}", "above {low}": "över {low}", "below {high}": "under {high}",
  "absent unless the type is LIMIT": "utelämnat om inte typen är LIMIT", "absent for a bracket, which brings its own": "utelämnat för en bracket, som har ett eget", "given for {kind}": "angivet för {kind}", "absent for {kind}": "utelämnat för {kind}",
  "absent with a trailing stop on the exchange wallet: the same coins cannot rest twice": "utelämnat med ett släpande stopp i plånboken exchange: samma mynt kan inte ligga ute två gånger",
  "buy: a bracket on the exchange wallet protects coins that were bought": "köp: en bracket i plånboken exchange skyddar mynt som köptes", "sell": "sälj",
  "EXCHANGE {kind}: {symbol} has no margin": "EXCHANGE {kind}: {symbol} har ingen marginal",
  "{type}: a derivative is traded on margin": "{type}: ett derivat handlas på marginal",
  "free of contradictions ({text})": "fritt från motsägelser ({text!})",
});

// Several reasons stand in one sentence, each for itself.
const SEVERAL = /; (?=\w+ must be |[A-Z_]+: )/;
const CODED = /^([A-Z][A-Z_]+): (.*)$/s;

function said(text) {
  const whole = spoken(text);
  if (whole !== text) return whole;
  const coded = CODED.exec(text);
  return coded ? `${coded[1]}: ${spoken(coded[2])}` : text;
}

export function refused(text) {
  const [, head, rest] = /^(risk refused the order: |not now: |another change came first: |version \d+ stays in force: )?(.*)$/s.exec(text);
  const parts = rest.split(SEVERAL).map(said).join("; ");
  return head ? spoken(`${head}\0`).replace("\0", () => parts) : parts;
}

ApiProblem.speak = (text) => (text ? refused(text) : text);
