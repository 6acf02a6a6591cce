// bfx-api-node-core, unmodified: the venue's modular Node client, with its four plugins, on an exchange of ours.
'use strict'

const core = require('bfx-api-node-core')
// Its own models: the other clients have another version of them.
const { Order } = require('bfx-api-node-core/node_modules/bfx-api-node-models')
const SeqAudit = require('bfx-api-node-plugin-seq-audit')
const Checksum = require('bfx-api-node-plugin-ob-checksum')
const ManagedBook = require('bfx-api-node-plugin-managed-ob')
const Watchdog = require('bfx-api-node-plugin-wd')
const { version } = require('bfx-api-node-core/package.json')
const { Report, control, expect, until } = require('./report')

const { Manager, submitOrder, cancelOrder, subscribe, unsubscribe } = core
const BTC = 'tBTCUSD'
const BOOK = { symbol: BTC, prec: 'P0', len: '25' }

async function main (wsURL, controlUrl, apiKey, apiSecret) {
  const report = new Report('bfx-api-node-core', version)
  const manager = new Manager({
    wsURL,
    apiKey,
    apiSecret,
    transform: true,
    plugins: [SeqAudit(), Checksum(), ManagedBook(), Watchdog({ reconnectDelay: 200, packetWDDelay: 4000 })]
  })
  const seen = { errors: [], sums: 0, snapshots: new Set(), closed: new Map(), trades: [], opened: 0 }
  manager.on('ws2:error', (error) => seen.errors.push(error.message || JSON.stringify(error)))
  manager.on('ws2:bookCS', () => { seen.sums += 1 })
  manager.on('ws2:open', () => { seen.opened += 1 })
  for (const kind of ['ps', 'ws', 'os', 'fos', 'fcs', 'fls']) manager.on(`ws2:auth:${kind}`, () => seen.snapshots.add(kind))
  manager.on('ws2:auth:oc', (order) => seen.closed.set(order.id, order))
  manager.on('ws2:auth:tu', (trade) => seen.trades.push(trade))
  const id = manager.openWS().id
  const state = () => manager.getWS(id)
  await report.operation('open, authenticate, six snapshots', async () => {
    await until(() => state().authenticated && seen.snapshots.size === 6, 'all are told')
  })
  await streams(report, manager, state, seen)
  await orders(report, manager, state, seen)
  await report.operation('no error, no hole in the numbering, no wrong checksum', async () => {
    expect(seen.errors.length === 0, `was ${seen.errors.join('; ').slice(0, 200)}`)
  })
  await troubles(report, manager, state, seen, controlUrl)
  manager.closeAllSockets()
  await pool(report, wsURL)
  return report.failed
}

async function streams (report, manager, state, seen) {
  const next = (name, filter) => new Promise((resolve) => manager.onceWS(name, filter, (found) => { resolve(found) }))
  await report.operation('ticker', async () => {
    // Its model of a ticker takes the whole row for its first field; the row itself is what its users get besides.
    const told = new Promise((resolve) => manager.once('ws2:ticker', (model, meta) => resolve(meta.original)))
    subscribe(state(), 'ticker', { symbol: BTC })
    const [bid, , ask] = await told
    expect(bid < ask, 'the prices make sense')
  })
  await report.operation('public trades', async () => {
    const told = next('trades', { symbol: BTC })
    subscribe(state(), 'trades', { symbol: BTC })
    await told
  })
  await report.operation('candles', async () => {
    const told = next('candles', { key: `trade:1m:${BTC}` })
    subscribe(state(), 'candles', { key: `trade:1m:${BTC}` })
    const candles = await told
    expect(candles.length > 10 && candles[0].low <= candles[0].high, 'the series makes sense')
  })
  await report.operation('book P0: managed-ob keeps it, ob-checksum checks it', async () => {
    let book
    manager.onWS('managed:book', { symbol: BTC }, (found) => { book = found })
    subscribe(state(), 'book', BOOK)
    await until(() => seen.sums >= 5 && book && book.bids.length === 25, 'five sums agree', 14000)
    expect(book.topBid() < book.topAsk(), 'the book is not crossed')
  })
  await report.operation('unsubscribe', async () => {
    const number = () => core.findChannelId(state(), (channel) => channel.channel === 'trades')
    unsubscribe(state(), number())
    await until(() => number() === undefined, 'it is gone')
  })
  await report.operation('ping', async () => {
    const pong = await core.ping(state(), { cid: 77 })
    expect(pong.cid === 77, 'its own number comes back')
  })
}

async function orders (report, manager, state, seen) {
  let price
  manager.on('ws2:ticker', (model, meta) => { price = meta.original[6] })
  await until(() => price, 'a price')
  const at = (factor) => Math.round(price * factor)
  const closed = (id) => until(() => seen.closed.get(id), `order ${id} is closed`)
  let cid = 5000
  const submit = (fields) => submitOrder(state(), new Order({ cid: cid++, symbol: BTC, ...fields }))
  const { type } = Order
  const wished = [
    ['limit', { type: type.EXCHANGE_LIMIT, amount: 0.01, price: 0.8 }],
    ['limit sell', { type: type.EXCHANGE_LIMIT, amount: -0.01, price: 1.2 }],
    ['post-only', { type: type.EXCHANGE_LIMIT, amount: 0.01, price: 0.8, flags: 4096 }],
    ['hidden', { type: type.EXCHANGE_LIMIT, amount: 0.01, price: 0.8, flags: 64 }],
    ['stop', { type: type.EXCHANGE_STOP, amount: -0.01, price: 0.5 }],
    ['stop limit', { type: type.EXCHANGE_STOP_LIMIT, amount: -0.01, price: 0.5, priceAuxLimit: 0.49 }],
    ['trailing stop', { type: type.EXCHANGE_TRAILING_STOP, amount: -0.01, price: 1.0, priceTrailing: 0.3 }],
    ['OCO', { type: type.EXCHANGE_LIMIT, amount: -0.01, price: 1.2, oco: true, priceAuxLimit: 0.5 }],
    ['margin limit', { type: type.LIMIT, amount: 0.01, price: 0.8, lev: 3 }]
  ]
  for (const [name, given] of wished) {
    await report.operation(`place ${name}, cancel it`, async () => {
      const fields = { ...given }
      for (const key of ['price', 'priceAuxLimit', 'priceTrailing']) if (fields[key]) fields[key] = at(fields[key])
      const order = await submit(fields)
      expect(order.id > 0 && /ACTIVE/.test(order.status), `it rests, was ${order.status}`)
      await cancelOrder(state(), order)
      expect(/CANCELED/.test((await closed(order.id)).status), 'it is canceled')
    })
  }
  await report.operation('place market, its trade with fee', async () => {
    const order = await submit({ type: type.EXCHANGE_MARKET, amount: 0.02 })
    expect(/EXECUTED/.test((await closed(order.id)).status), 'it is executed')
    await until(() => seen.trades.some((each) => each.orderID === order.id && each.fee < 0), 'its trade has a fee')
  })
  await report.operation('amend price and amount', async () => {
    const order = await submit({ type: type.EXCHANGE_LIMIT, amount: 0.01, price: at(0.8) })
    const told = new Promise((resolve) => manager.on('ws2:auth:ou', (each) => { if (each.id === order.id) resolve(each) }))
    const wanted = at(0.75) // Once: the next ticker moves it.
    await core.updateOrder(state(), { id: order.id, price: String(wanted), amount: '0.03' })
    const changed = await told
    expect(changed.price === wanted && changed.amount === 0.03, `both are changed, was ${changed.amount} at ${changed.price}`)
    await cancelOrder(state(), order)
  })
  await report.operation('cancel a group', async () => {
    const placed = []
    for (const factor of [0.7, 0.71]) placed.push(await submit({ type: type.EXCHANGE_LIMIT, amount: 0.01, price: at(factor), gid: 44 }))
    await core.cancelOrdersByGid(state(), { gid: 44 })
    await Promise.all(placed.map((order) => closed(order.id)))
  })
  await report.operation('an order beyond the balance is refused', async () => {
    try {
      await submit({ type: type.EXCHANGE_LIMIT, amount: 1000, price: at(0.9) })
    } catch (error) {
      expect(/not enough/.test(JSON.stringify(error)), `says why, was ${JSON.stringify(error)}`)
      return
    }
    throw new Error('must be refused, was not')
  })
}

async function troubles (report, manager, state, seen, controlUrl) {
  const again = async (act) => {
    const opened = seen.opened
    let told = false
    manager.on('ws2:managed:book', () => { told = true })
    await act()
    await until(() => seen.opened > opened && state().authenticated, 'it is open and authenticated again', 12000)
    told = false
    const sums = seen.sums
    await until(() => told && seen.sums > sums, 'the book goes on, and its sums')
  }
  const failing = async (rule, wanted) => {
    seen.errors.length = 0
    await control(controlUrl, 'POST', '/faults', rule)
    await until(() => seen.errors.some((each) => wanted.test(each)), `it says ${wanted}`)
    await control(controlUrl, 'DELETE', '/faults')
  }
  await report.operation('seq-audit tells a lost frame', () => failing({ kind: 'lose' }, /invalid seq/))
  await report.operation('ob-checksum tells a wrong sum', () => failing({ kind: 'bad checksum' }, /checksum mismatch/))
  await report.operation('wd: reconnect after a dropped socket', () => again(() => control(controlUrl, 'POST', '/drop')), 25000)
  await report.operation('wd: reconnect after silence', () => again(() => control(controlUrl, 'POST', '/faults', { kind: 'stall' })), 25000)
  await report.operation('wd: reconnect after 20051', () => again(() => control(controlUrl, 'POST', '/stop')), 25000)
  await report.operation('after all that: an order, and no wrong checksum', async () => {
    await control(controlUrl, 'DELETE', '/faults')
    seen.errors.length = 0
    const order = await submitOrder(state(), new Order({ cid: 9000, type: Order.type.EXCHANGE_LIMIT, symbol: BTC, amount: 0.01, price: 4000 }))
    await cancelOrder(state(), order)
    const sums = seen.sums
    await until(() => seen.sums > sums + 1, 'two more sums')
    expect(seen.errors.length === 0, `was ${seen.errors.join('; ').slice(0, 200)}`)
  })
}

// Its plugins take what one socket hears for what all sockets of the manager hear; so this one has none.
async function pool (report, wsURL) {
  await report.operation('every socket full: the next channel opens another', async () => {
    const manager = new Manager({ wsURL, channelsPerSocket: 1 })
    const told = new Set()
    manager.on('ws2:ticker', (ticker, meta) => told.add(meta.chanFilter.symbol))
    for (const symbol of [BTC, 'tETHUSD']) {
      manager.withFreeDataSocket((free) => subscribe(free, 'ticker', { symbol }))
      await until(() => told.has(symbol), `${symbol} is told`)
    }
    expect(manager.wsPool.length === 2, `two are open, were ${manager.wsPool.length}`)
    manager.closeAllSockets()
  })
}

const [, url, controlUrl, key, secret] = process.argv.slice(2)
main(url, controlUrl, key, secret).then((failed) => process.exit(failed ? 1 : 0))
