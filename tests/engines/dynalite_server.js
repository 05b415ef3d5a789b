// Serves an empty dynalite, kept in memory, on the socket file named first. Says so in one line when it listens.
// usage: NODE_PATH=…/node_modules node dynalite_server.js SOCKET TRANSITION_MS
'use strict'
const dynalite = require('dynalite')

const [socket, transition] = process.argv.slice(2)
const ms = Number(transition)
const server = dynalite({ createTableMs: ms, deleteTableMs: ms, updateTableMs: ms })
// The gate keeps its connections: dynalite's own habit of closing them after five idle seconds would now and
// then meet a request on its way.
server.keepAliveTimeout = 0
server.listen(socket, () => console.log('listening'))
