// What a notice is about, by its code, in Swedish, and what the engine says in it where money depends on that. In English
// the code itself says it.

import { sentences } from "./reasons.js";
import { currentLanguage } from "./words.js";

const sv = {
  books_differ: "våra avslut och börsens plånbok skiljer sig", position_differs: "börsens position är en annan än vår", position_agrees: "börsens position är vår igen",
  fills_missing: "avslut fattas, ordern räknas ändå", trade_conflict: "ett avslut kom med två innehåll", venue_notice: "börsen varnar för kontot", overfilled: "en order fylldes för mycket",
  coins_unclear: "oklart vems mynten är", transfer_in_doubt: "en överföring är oviss", money_moved: "pengar kom in eller togs ut", money_unclear: "oklart vad som kom in eller togs ut", price_alert: "ett bevakat pris nåddes",
  order_unclear: "börsen visade en omöjlig order", account_unclear: "börsen visade ett omöjligt konto", foreign_order: "någon annan lade en order", foreign_trade: "någon annan handlade", ghost_order: "en order fanns ändå",
  illegal_transition: "en order bytte läge som den inte kan", intent_said_again: "samma beslut bad om en andra order", approval_void: "godkända ordrar gick ut", flatten_failed: "försäljningen av allt lyckades inte",
  level_refused: "en nivå kunde inte läggas", protection_repair: "ett stopp lades om", protection_replaced: "ett stopp byttes ut", protection_not_asked: "ett stopp kunde inte begäras", position_naked: "en position saknar stopp",
  risk_rederived: "risk räknades om ur journalen", position_without_strategy: "en position har ingen strategi", position_adopted: "en position bytte ägare", adoption_refused: "ägarbytet nekades", exit_held_back: "en utgång hålls tillbaka",
  sold_twice: "mer såldes än köptes", fee_unpriced: "en avgift har inget pris", order_templates: "ordermallarna var skadade",
  reconnects: "en anslutning faller om och om igen", stops_over_rest: "stopp går över REST", rest_key_refused: "nyckeln nekas över REST: inget stopp läggs", watchdog: "en ström var tyst och rings upp igen", subscription: "börsen nekade en ström",
  waits_for_market: "väntar på marknaden", waits_for_venue: "väntar på börsen", no_waiting_page: "väntesidan föll", account_not_told: "kontots nummer är okänt", frame_refused: "börsen sade något omöjligt", row_refused: "en rad från börsen var omöjlig",
  pair_gone: "ett par finns inte längre", pair_sizes: "ett par har nya minsta eller största ordrar", pairs_not_told: "parens storlekar är okända", pool_full: "för många strömmar", auth_refused: "börsen nekar API-nyckeln", withdrawal_key: "nyckeln får göra uttag, och nekas",
  stream_stale: "en ström är gammal", stream_fresh: "en ström är färsk igen",
  actor_crashed: "en aktör föll och startas igen", actor_zombie: "en aktör tar inte slut", actor_escalated: "en aktör gav upp", dead_letter: "ett meddelande lades åt sidan", journal_damaged: "journalen är skadad",
  journal_not_proven: "äldre journal kunde inte prövas", journal_not_marked: "journalens märke kunde inte skrivas", health_disk_free: "disken är snart full", health_memory: "minnet tar slut", health_memory_growth: "minnet växer",
  health_journal_wait: "journalen är långsam", health_loop: "motorn stod still", health_starved: "maskinen gav ingen processor", health_clock_skew: "klockan går fel", loop_blocked: "motorn stod still", loop_starved: "processen kördes inte",
  engine_gave_up: "motorn gav upp", engine_started: "motorn startade", settings_changed: "inställningar ändrades", regime: "regim", strategy_restarted: "en strategi börjar om",
  strategy_off: "en strategi är av", rollout_proven: "en skugga har bevisat sig", rollout_promoted: "en utrullning gäller nu", rollout_taken_back: "en utrullning togs tillbaka", shadow_strategy_off: "en strategi i skuggan är av",
  shadow_began_again: "skuggan räknar från början", shadow_lags: "skuggan hinner inte med", shadow_not_kept: "skuggan sparas inte", history_waits: "strategier väntar på ljus", history_there: "strategierna har sina ljus", strategies: "strategifiler",
  scheduler: "arbete efter klockan", bus_down: "inställningsbussen är borta", bus_forged: "någon skrev på bussen utan nyckel", strategy_slow: "en strategi är långsam", settings_not_kept: "en ändring kunde inte sparas", job_not_kept: "ett jobb sparas inte",
  settings_rejected: "sparade inställningar duger inte", audit_damaged: "granskningsfilen ändrades", audit_unwritable: "granskningsfilen kan inte skrivas", recording_broken: "inspelningen är trasig", chaos: "fel på beställning", command_failed: "ett kommando föll",
  not_delivered: "ett meddelande kom inte fram", not_listening: "budbäraren lyssnar inte", not_answered: "ett svar kom inte fram", notifications_lost: "meddelanden gick förlorade", notifications_not_kept: "meddelanden sparas inte", stranger: "en främling skrev till boten",
};

export const about = (code) => (currentLanguage() === "sv" && sv[code]) || code.replaceAll("_", " ");

// The more special one stands first.
sentences({
  "{symbol}: {stopped} of {wanted} stopped by {stops} orders for {seconds} s ({fault})": "{symbol}: {stopped} av {wanted} har stopp i {stops} ordrar sedan {seconds} s ({fault!})",
  "{symbol}: {waiting} waits to be closed by an exit that has not left yet, {stopped} stopped, for {seconds} s (waits)": "{symbol}: {waiting} väntar på att stängas av en utgång som inte gått ut ännu, {stopped} har stopp, sedan {seconds} s (väntar)",
  "{symbol} is not flat after {tries} tries: {held} held": "{symbol} är inte stängt efter {tries} försök: {held} hålls",
  "{symbol}: protective order {cid} is {word} ({reason}); another one is placed": "{symbol}: skyddsorder {cid} är {word!} ({reason}); en ny läggs",
  "{symbol}: nobody can say whose coins are left until history answers; the farthest stop covers {parts}": "{symbol}: ingen vet vems mynt som är kvar förrän historiken svarar; det stopp som ligger längst bort täcker {parts}",
  "{symbol}: stop {stop} and target {target} cannot be one order; nothing is moved": "{symbol}: stopp {stop} och mål {target} kan inte vara en order; inget flyttas",
  "order {cid} was {state} and is at the venue": "order {cid} var {state!} och finns på börsen",
  "order {cid}: filled must be at most {quantity}, was {filled}": "order {cid}: avslut får vara högst {quantity}, var {filled}",
  "order {cid}: {intent} was ordered before": "order {cid}: {intent} har beställts förut",
  "order {cid}: the venue executed {executed}, its trades show {filled}; the position counts what the venue says": "order {cid}: börsen utförde {executed}, dess avslut visar {filled}; positionen räknar det börsen säger",
  "trade {trade} of order {order} was told twice and differently": "avslut {trade} av order {order} kom två gånger och olika",
  "the venue says {kind}: {text}": "börsen säger {kind}: {text}",
  "{symbol}: margin position and our fills agree again": "{symbol}: marginalpositionen och våra avslut stämmer igen",
  "{symbol}: our fills hold {held} on margin, the venue {amount}; nothing is opened in it": "{symbol}: enligt våra avslut hålls {held} på marginal, enligt börsen {amount}; inget öppnas i den",
  "{quantity} of {symbol}, with the stop around it, went from {owner} to {heir}: {reason}": "{quantity} av {symbol}, med sitt stopp, gick från {owner} till {heir}: {reason}",
  "no strategy {name} trades {symbols}, and it holds that: only a stop, if any, sells it. Close it, run a strategy of that name there again, or give it away: genesis adopt {again} HEIR": "ingen strategi {name} handlar {symbols}, och den håller det: bara ett stopp, om det finns, säljer det. Stäng det, kör en strategi med det namnet där igen, eller ge bort det: genesis adopt {again} ARVINGE",
  "approved but never sent when the engine stopped, now void: {what}": "godkänt men aldrig skickat när motorn stannade, gäller inte längre: {what}",
  "risk was kept otherwise than the journal tells, which is believed: {what}": "risk stod annorlunda än i journalen, som gäller: {what}",
  "{symbol} reached {level}, it is {price}": "{symbol} nådde {level}, det är {price}", "{symbol} reached {level}": "{symbol} nådde {level}",
  "{words}: silent for {seconds} s": "{words}: tyst i {seconds} s", "{words}: speaks again": "{words}: hörs igen",
  "{name} failed {times} times in a row, last: {reason}": "{name} misslyckades {times} gånger i rad, senast: {reason}",
  "{path} crashed and is restarted: {text}": "{path} föll och startas igen: {text}",
  "the event loop stood still {times} times: the log says in which line": "motorn stod still {times} gånger: loggen säger på vilken rad",
  "Genesis {version} started in mode {mode}": "Genesis {version} startade i läge {mode}",
});
