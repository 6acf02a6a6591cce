// bitfinex-api-node, unmodified: the venue's own Node client over WebSocket, on an exchange of ours.
'use strict'

const { WSv2 } = require('bitfinex-api-node')
const { Order } = require('bfx-api-node-models')
const { version } = require('bitfinex-api-node/package.json')
const { Report, control, expect, until } = require('./report')

const BTC = 'tBTCUSD'
const POST_ONLY = 4096

async function main (url, controlUrl, apiKey, apiSecret) {
  const report = new Report('bitfinex-api-node', version)
  const ws = new WSv2({
    url, apiKey, apiSecret, transform: true, seqAudit: true, manageOrderBooks: true, manageCandles: true, autoReconnect: true, reconnectDelay: 200, packetWDDelay: 20000
  })
  const errors = []
  const seen = { wallets: null, closed: new Map(), trades: [], positions: new Map(), auths: 0 }
  ws.on('error', (error) => errors.push(error))
  ws.on('auth', () => { seen.auths += 1 })
  await report.operation('open, authenticate, snapshots', async () => {
    ws.onWalletSnapshot({}, (found) => { seen.wallets = found })
    ws.onOrderClose({}, (order) => seen.closed.set(order.id, order))
    ws.onAccountTradeUpdate({}, (trade) => seen.trades.push(trade))
    ws.onPositionNew({}, (position) => seen.positions.set(position.symbol, position))
    ws.onPositionClose({}, (position) => seen.positions.delete(position.symbol))
    await ws.open()
    await ws.auth()
    await until(() => seen.wallets && seen.wallets.some((each) => each.currency === 'USD'), 'the wallets are told')
  })
  await streams(report, ws)
  await orders(report, ws, seen)
  await troubles(report, ws, seen, controlUrl)
  await report.operation('no error, no hole in the numbering, no wrong checksum', async () => {
    expect(errors.length === 0, `was ${errors.map((each) => each.message || JSON.stringify(each)).join('; ').slice(0, 200)}`)
  })
  await ws.close()
  return report.failed
}

async function streams (report, ws) {
  let ticker, trades, candles
  await report.operation('ticker', async () => {
    ws.onTicker({ symbol: BTC }, (found) => { ticker = found })
    await ws.subscribeTicker(BTC)
    await until(() => ticker && ticker.bid < ticker.ask, 'prices come')
  })
  await report.operation('public trades', async () => {
    ws.onTradeEntry({ symbol: BTC }, (found) => { trades = found })
    await ws.subscribeTrades(BTC)
    await until(() => trades, 'trades come')
  })
  await report.operation('candles, kept by the client', async () => {
    const key = `trade:1m:${BTC}`
    ws.onCandle({ key }, (found) => { candles = found })
    await ws.subscribeCandles(key)
    await until(() => candles && candles.length > 10 && candles[0].low <= candles[0].high, 'the series is kept')
  })
  await report.operation('book P0, kept by the client, checksums checked', async () => {
    let sums = 0
    let book
    // Its promise waits for an answer that names this flag alone; the venue's answer names all that are set.
    ws.enableFlag(WSv2.flags.CHECKSUM)
    await until(() => ws.isFlagEnabled(WSv2.flags.CHECKSUM), 'sums are on')
    ws.onOrderBookChecksum({ symbol: BTC, prec: 'P0', len: '25' }, () => { sums += 1 })
    ws.onOrderBook({ symbol: BTC, prec: 'P0', len: '25' }, (found) => { book = found })
    await ws.subscribeOrderBook(BTC, 'P0', '25')
    await until(() => sums >= 5 && book && book.bids.length === 25, 'five sums agree', 14000)
    expect(book.topBid() < book.topAsk(), 'the book is not crossed')
  })
  await report.operation('unsubscribe and subscribe again', async () => {
    const key = `trade:1m:${BTC}`
    await ws.unsubscribeCandles(BTC, '1m')
    await until(() => !ws.hasDataChannel('candles', { key }), 'it is gone')
    candles = null
    await ws.subscribeCandles(key)
    await until(() => candles, 'it is there again')
  })
}

async function orders (report, ws, seen) {
  let price
  ws.onTicker({ symbol: BTC }, (ticker) => { price = ticker.lastPrice })
  await until(() => price, 'a price')
  const at = (factor) => Math.round(price * factor)
  const closed = (id) => until(() => seen.closed.get(id), `order ${id} is closed`)
  const wished = [
    ['limit', 'EXCHANGE LIMIT', 0.01, 0.8, {}],
    ['limit sell', 'EXCHANGE LIMIT', -0.01, 1.2, {}],
    ['post-only', 'EXCHANGE LIMIT', 0.01, 0.8, { flags: POST_ONLY }],
    ['hidden', 'EXCHANGE LIMIT', 0.01, 0.8, { hidden: true }],
    ['stop', 'EXCHANGE STOP', -0.01, 0.5, {}],
    ['stop limit', 'EXCHANGE STOP LIMIT', -0.01, 0.5, { priceAuxLimit: 0.49 }],
    ['trailing stop', 'EXCHANGE TRAILING STOP', -0.01, 1.0, { priceTrailing: 0.3 }],
    ['OCO', 'EXCHANGE LIMIT', -0.01, 1.2, { oco: true, priceAuxLimit: 0.5 }],
    ['margin limit', 'LIMIT', 0.01, 0.8, { lev: 3 }]
  ]
  let cid = 3000
  for (const [name, type, amount, factor, extra] of wished) {
    await report.operation(`place ${name}, cancel it`, async () => {
      const given = { ...extra }
      for (const key of ['priceAuxLimit', 'priceTrailing']) if (given[key]) given[key] = at(given[key])
      const order = new Order({ cid: cid++, type, symbol: BTC, amount, price: at(factor), ...given }, ws)
      order.registerListeners()
      await order.submit()
      expect(order.id > 0 && /ACTIVE/.test(order.status), `it rests, was ${order.status}`)
      await order.cancel()
      expect(/CANCELED/.test((await closed(order.id)).status), 'it is canceled')
      order.removeListeners()
    })
  }
  await report.operation('place market, its trade with fee', async () => {
    const order = new Order({ cid: cid++, type: 'EXCHANGE MARKET', symbol: BTC, amount: 0.02 }, ws)
    await order.submit()
    expect(/EXECUTED/.test((await closed(order.id)).status), 'it is executed')
    await until(() => seen.trades.some((each) => each.orderID === order.id && each.fee < 0), 'its trade has a fee')
  })
  for (const kind of ['IOC', 'FOK']) {
    await report.operation(`place ${kind}`, async () => {
      const order = new Order({ cid: cid++, type: `EXCHANGE ${kind}`, symbol: BTC, amount: 0.01, price: at(1.2) }, ws)
      await order.submit()
      expect(/EXECUTED/.test((await closed(order.id)).status), 'it is executed')
    })
  }
  await report.operation('amend price and amount', async () => {
    const order = new Order({ cid: cid++, type: 'EXCHANGE LIMIT', symbol: BTC, amount: 0.01, price: at(0.8) }, ws)
    order.registerListeners()
    await order.submit()
    const wanted = at(0.75)
    await ws.updateOrder({ id: order.id, price: String(wanted), amount: '0.03' })
    await until(() => order.price === wanted && order.amount === 0.03, 'both are changed')
    await order.cancel()
    order.removeListeners()
  })
  await report.operation('several operations in one message', async () => {
    const make = (number) => new Order({ cid: number, type: 'EXCHANGE LIMIT', symbol: BTC, amount: 0.01, price: at(0.7) }, ws)
    const told = []
    const note = (order) => told.push(order)
    ws.onOrderNew({ cbGID: 'multi' }, note)
    await ws.submitOrderMultiOp([cid++, cid++].map((number) => ['on', make(number).toNewOrderPacket()]))
    await until(() => told.length === 2, 'both are open')
    await ws.cancelOrders(told.map((order) => order.id))
    await Promise.all(told.map((order) => closed(order.id)))
    ws.removeListeners('multi')
  })
  await report.operation('margin position: open, told, closed reduce-only', async () => {
    await new Order({ cid: cid++, type: 'MARKET', symbol: BTC, amount: 0.05, lev: 3 }, ws).submit()
    await until(() => seen.positions.has(BTC), 'it is held')
    await new Order({ cid: cid++, type: 'MARKET', symbol: BTC, amount: -0.05, flags: 1024 }, ws).submit()
    await until(() => !seen.positions.has(BTC), 'none is left')
  })
  await report.operation('an order beyond the balance is refused', async () => {
    try {
      await new Order({ cid: cid++, type: 'EXCHANGE LIMIT', symbol: BTC, amount: 1000, price: at(0.9) }, ws).submit()
    } catch (error) {
      expect(/not enough/.test(JSON.stringify(error) + error), `says why, was ${error}`)
      return
    }
    throw new Error('must be refused, was not')
  })
}

async function troubles (report, ws, seen, controlUrl) {
  const back = async () => {
    let ticker
    const before = seen.auths
    ws.onTicker({ symbol: BTC, cbGID: 'back' }, (found) => { ticker = found })
    return async () => {
      await until(() => seen.auths > before, 'it is authenticated again', 14000)
      ticker = null
      await until(() => ticker, 'prices come again')
      ws.removeListeners('back')
    }
  }
  await report.operation('reconnect after a dropped socket', async () => {
    const again = await back()
    await control(controlUrl, 'POST', '/drop')
    await again()
  }, 30000)
  await report.operation('reconnect after 20051', async () => {
    const again = await back()
    let told = false
    ws.onServerRestart(() => { told = true; ws.reconnect().catch(() => {}) })
    await control(controlUrl, 'POST', '/stop')
    await again()
    expect(told, '20051 was told')
  }, 30000)
  await report.operation('an order after all that', async () => {
    const order = new Order({ cid: 9000, type: 'EXCHANGE LIMIT', symbol: BTC, amount: 0.01, price: 4000 }, ws)
    await order.submit()
    await order.cancel()
  })
}

const [, url, controlUrl, key, secret] = process.argv.slice(2)
main(url, controlUrl, key, secret).then((failed) => process.exit(failed ? 1 : 0))
