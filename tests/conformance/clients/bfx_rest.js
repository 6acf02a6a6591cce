// bfx-api-node-rest, unmodified: the venue's own Node client over REST, on an exchange of ours.
'use strict'

const { RESTv2 } = require('bfx-api-node-rest')
const { FundingOffer, Order } = require('bfx-api-node-models')
const { version } = require('bfx-api-node-rest/package.json')
const { Report, expect, until } = require('./report')

const BTC = 'tBTCUSD'
const POST_ONLY = 4096
const REDUCE_ONLY = 1024

async function main (url, apiKey, apiSecret) {
  const report = new Report('bfx-api-node-rest', version)
  const rest = new RESTv2({ url, apiKey, apiSecret, transform: true })
  await market(report, rest)
  await orders(report, rest)
  await account(report, rest)
  await refusals(report, rest, url)
  return report.failed
}

async function market (report, rest) {
  await report.operation('platform status', async () => expect((await rest.status())[0] === 1, 'operative'))
  await report.operation('ticker', async () => {
    const ticker = await rest.ticker({ symbol: BTC })
    expect(ticker.bid < ticker.ask && ticker.low <= ticker.lastPrice, `sane, was ${JSON.stringify(ticker)}`)
  })
  await report.operation('tickers', async () => {
    const found = await rest.tickers({ symbols: [BTC, 'tETHUSD'] })
    expect(found.map((each) => each.symbol).sort().join() === 'tBTCUSD,tETHUSD', 'the chosen ones')
  })
  await report.operation('ticker history', async () => {
    const found = await rest.tickersHistory({ symbols: [BTC], limit: 5 })
    expect(found.length > 0 && found[0].bid > 0, 'rows with prices')
  })
  await report.operation('candles', async () => {
    const rows = await rest.candles({ timeframe: '1m', symbol: BTC, section: 'hist', query: { limit: 50 } })
    expect(rows.length === 50 && rows.every((row) => row.low <= row.open && row.open <= row.high), '50 of them, low to high')
    const last = await rest.candles({ timeframe: '1h', symbol: BTC, section: 'last' })
    expect(last.open > 0, 'the newest one')
  })
  await report.operation('public trades', async () => {
    const found = await rest.trades({ symbol: BTC, limit: 5 })
    expect(found.length > 0 && found.length <= 5 && found.every((trade) => trade.price > 0), 'some, with prices')
  })
  await report.operation('book', async () => {
    const book = await rest.orderBook({ symbol: BTC, prec: 'P0' })
    expect(book.length === 50 && book[0].length === 3, '25 levels of each side')
    const raw = await rest.orderBook({ symbol: BTC, prec: 'R0' })
    expect(raw.length === 50, '25 orders of each side')
  })
  await report.operation('symbols, currencies, futures', async () => {
    expect((await rest.symbols()).includes('BTCUSD'), 'pairs')
    expect((await rest.currencies()).length > 0, 'currencies')
    expect(Array.isArray(await rest.futures()), 'futures')
    expect((await rest.symbolDetails()).some((each) => each.pair === 'BTCUSD'), 'sizes')
  })
  await report.operation('status of derivatives, liquidations, statistics', async () => {
    expect(Array.isArray(await rest.statusMessages({ type: 'deriv', keys: ['ALL'] })), 'derivatives')
    expect(Array.isArray(await rest.liquidations()), 'liquidations')
    expect((await rest.stats({ key: `pos.size:1m:${BTC}:long`, context: 'last' })).length >= 2, 'statistics')
  })
  await report.operation('average price to trade an amount', async () => {
    expect((await rest.marketAveragePrice({ symbol: BTC, amount: 1 }))[0] > 0, 'a price')
  })
}

async function orders (report, rest) {
  const price = async (factor) => Math.round((await rest.ticker({ symbol: BTC })).lastPrice * factor)
  const closed = (id) => until(async () => {
    const found = await rest.orderHistoryWithIds({ ids: [id] })
    return found.find((each) => each.id === id && !/ACTIVE|PARTIALLY/.test(each.status))
  }, `order ${id} is closed`)
  const wished = [
    ['limit', 'EXCHANGE LIMIT', 0.01, 0.8, { cid: 2001 }],
    ['limit sell', 'EXCHANGE LIMIT', -0.01, 1.2, {}],
    ['post-only', 'EXCHANGE LIMIT', 0.01, 0.8, { flags: POST_ONLY }],
    ['hidden', 'EXCHANGE LIMIT', 0.01, 0.8, { hidden: true }],
    ['stop', 'EXCHANGE STOP', -0.01, 0.5, {}],
    ['stop limit', 'EXCHANGE STOP LIMIT', -0.01, 0.5, { priceAuxLimit: 0.49 }],
    ['trailing stop', 'EXCHANGE TRAILING STOP', -0.01, 1.0, { priceTrailing: 0.3 }],
    ['OCO', 'EXCHANGE LIMIT', -0.01, 1.2, { oco: true, priceAuxLimit: 0.5 }],
    ['margin limit', 'LIMIT', 0.01, 0.8, { lev: 3 }]
  ]
  for (const [name, type, amount, factor, extra] of wished) {
    await report.operation(`place ${name}, read it, cancel it`, async () => {
      const given = { ...extra }
      for (const key of ['priceAuxLimit', 'priceTrailing']) if (given[key]) given[key] = await price(given[key])
      const order = new Order({ type, symbol: BTC, amount, price: await price(factor), ...given })
      const placed = await rest.submitOrder({ order })
      expect(placed.id > 0 && placed.symbol === BTC, `taken, was ${JSON.stringify(placed)}`)
      const open = await rest.activeOrders()
      expect(open.some((each) => each.id === placed.id), 'it is among the open orders')
      expect((await rest.cancelOrder({ id: placed.id })).status === 'SUCCESS', 'the cancel is taken')
      expect(/CANCELED/.test((await closed(placed.id)).status), 'it is canceled')
    })
  }
  await report.operation('place market, its trade', async () => {
    const order = new Order({ type: 'EXCHANGE MARKET', symbol: BTC, amount: 0.02 })
    const { id } = await rest.submitOrder({ order })
    expect(/EXECUTED/.test((await closed(id)).status), 'it is executed')
    const trades = await rest.orderTrades({ symbol: BTC, orderId: id })
    expect(Math.abs(trades.reduce((sum, each) => sum + each.execAmount, 0) - 0.02) < 1e-9, 'its trades sum up to it')
  })
  for (const kind of ['IOC', 'FOK']) {
    await report.operation(`place ${kind}`, async () => {
      const order = new Order({ type: `EXCHANGE ${kind}`, symbol: BTC, amount: 0.01, price: await price(1.2) })
      expect(/EXECUTED/.test((await closed((await rest.submitOrder({ order })).id)).status), 'it is executed')
    })
  }
  await report.operation('amend price and amount', async () => {
    const order = new Order({ type: 'EXCHANGE LIMIT', symbol: BTC, amount: 0.01, price: await price(0.8) })
    const { id } = await rest.submitOrder({ order })
    const wanted = await price(0.75)
    const answer = await rest.updateOrder({ id, price: String(wanted), amount: '0.03' })
    expect(answer.status === 'SUCCESS', `taken, was ${answer.text}`)
    const changed = (await rest.activeOrders()).find((each) => each.id === id)
    expect(changed.price === wanted && changed.amount === 0.03, 'both are changed')
    await rest.cancelOrder({ id })
  })
  await report.operation('several at once, cancel by client id, group and all', async () => {
    const make = async (more) => new Order({ type: 'EXCHANGE LIMIT', symbol: BTC, amount: 0.01, price: await price(0.7), ...more })
    await rest.submitOrderMulti({ orders: [await make({ cid: 77 }), await make({ gid: 5 }), await make({ gid: 6 })] })
    expect((await rest.activeOrders()).length === 3, 'three are open')
    // The venue's day, which in a replay is not ours.
    const { mtsCreate } = (await rest.activeOrders()).find((each) => each.cid === 77)
    await rest.cancelOrderWithCid({ cid: 77, date: new Date(mtsCreate).toISOString().slice(0, 10) })
    await until(async () => (await rest.activeOrders()).length === 2, 'by client id')
    await rest.cancelOrderMulti({ gid: [5] })
    await until(async () => (await rest.activeOrders()).length === 1, 'by group')
    await rest.cancelOrderMulti({ all: 1 })
    await until(async () => (await rest.activeOrders()).length === 0, 'all')
  })
  await report.operation('margin position: open, read, close reduce-only', async () => {
    const { id } = await rest.submitOrder({ order: new Order({ type: 'MARKET', symbol: BTC, amount: 0.05, lev: 3 }) })
    await closed(id)
    const [position] = await rest.positions()
    expect(position.amount === 0.05 && position.status === 'ACTIVE', `it is held, was ${JSON.stringify(position)}`)
    const order = new Order({ type: 'MARKET', symbol: BTC, amount: -0.05, flags: REDUCE_ONLY })
    await closed((await rest.submitOrder({ order })).id)
    expect((await rest.positions()).length === 0, 'none is left')
  })
}

async function account (report, rest) {
  const lists = {
    'user, logins, change log': ['userInfo', 'logins', 'changeLogs'],
    'wallets and their history': ['wallets', 'walletsHistory'],
    'orders and trades': ['activeOrders', 'orderHistory', 'accountTrades'],
    'position history, snapshots, audit': ['positionsHistory', 'positionsSnapshot', 'positionsAudit'],
    'movements, summary, settings': ['movements', 'accountSummary', 'getSettings']
  }
  for (const [name, calls] of Object.entries(lists)) {
    await report.operation(name, async () => {
      for (const call of calls) {
        const argument = call === 'positionsAudit' ? { id: [1] } : call === 'getSettings' ? { keys: ['api:desk'] } : {}
        const found = await rest[call](argument)
        expect(found !== undefined && found !== null, `${call} answers`)
      }
    })
  }
  await report.operation('wallets hold what was brought', async () => {
    const wallets = await rest.wallets()
    expect(wallets.some((each) => each.type === 'exchange' && each.currency === 'USD' && each.balance > 0), 'dollars')
  })
  await report.operation('ledgers', async () => expect((await rest.ledgers({ filters: 'USD' })).length > 0, 'entries'))
  await report.operation('key permissions', async () => {
    const found = await rest.keyPermissions()
    expect(found.some((each) => each.key === 'withdraw' && each.write), 'what this key may')
  })
  await report.operation('margin and funding information', async () => {
    expect(await rest.marginInfo({ key: 'base' }), 'base')
    expect(await rest.marginInfo({ key: BTC }), 'of a pair')
    expect(await rest.fundingInfo({ key: 'fUSD' }), 'of a currency')
  })
  await report.operation('balance available for an order', async () => {
    const found = await rest.calcAvailableBalance({ symbol: BTC, dir: 1, rate: 8000, type: 'EXCHANGE' })
    expect(found[0] > 0, 'some')
  })
  await report.operation('alerts: set, list, delete', async () => {
    await rest.alertSet({ type: 'price', symbol: BTC, price: 100 })
    expect((await rest.alertList({ type: 'price' })).length === 1, 'it is there')
    await rest.alertDelete({ symbol: BTC, price: 100 })
    expect((await rest.alertList({ type: 'price' })).length === 0, 'it is gone')
  })
  await report.operation('funding: offer, read, cancel, history', async () => {
    const offer = new FundingOffer({ type: 'LIMIT', symbol: 'fUSD', rate: 0.001, amount: 200, period: 2 })
    const placed = await rest.submitFundingOffer({ offer })
    expect(placed.status === 'SUCCESS', `taken, was ${placed.text}`)
    const [open] = await rest.fundingOffers({ symbol: 'fUSD' })
    await rest.cancelFundingOffer({ id: open.id })
    expect((await rest.fundingOffers({ symbol: 'fUSD' })).length === 0, 'it is gone')
    expect((await rest.fundingOfferHistory({ symbol: 'fUSD' })).some((each) => each.id === open.id), 'it is history')
    for (const read of ['fundingLoans', 'fundingLoanHistory', 'fundingCredits', 'fundingCreditHistory', 'fundingTrades']) {
      expect(Array.isArray(await rest[read]({ symbol: 'fUSD' })), read)
    }
  })
  await report.operation('transfer between wallets, deposit address', async () => {
    const moved = await rest.transfer({ from: 'exchange', to: 'margin', currency: 'USD', amount: '50' })
    expect(moved.status === 'SUCCESS', 'moved')
    expect(await rest.getDepositAddress({ wallet: 'exchange', method: 'bitcoin', opRenew: 0 }), 'an address')
  })
  await report.operation('token', async () => {
    const [token] = await rest.generateToken({ ttl: 300, scope: 'api', caps: ['o'], writePermission: false })
    expect(typeof token === 'string' && token.length > 10, 'a token')
  })
}

async function refusals (report, rest, url) {
  const refused = async (act, code) => {
    try {
      await act()
    } catch (error) {
      expect(String(error.response).includes(code), `says ${code}, was ${error.response}`)
      return
    }
    throw new Error('must be refused, was not')
  }
  await report.operation('an order beyond the balance is refused', () => refused(
    () => rest.submitOrder({ order: new Order({ type: 'EXCHANGE LIMIT', symbol: BTC, amount: 1000, price: 5000 }) }), 'not enough'
  ))
  await report.operation('a wrong key is refused', () => refused(
    () => new RESTv2({ url, apiKey: 'nobody', apiSecret: 'nothing' }).wallets(), 'apikey'
  ))
}

const [url, , , key, secret] = process.argv.slice(2)
main(url, key, secret).then((failed) => { process.exitCode = failed ? 1 : 0 })
