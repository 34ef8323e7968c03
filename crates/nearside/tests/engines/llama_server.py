"""llama.cpp's own server, as the package xllamacpp carries it: python llama_server.py MODEL.gguf [THREADS]

Prints its address, and serves until it is ended.
"""

import signal
import socket
import sys

import xllamacpp

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.hostnames = ["127.0.0.1"]
parameters.port = port
parameters.n_parallel = 1
parameters.cpuparams.n_threads = int(sys.argv[2]) if len(sys.argv) > 2 else 1
server = xllamacpp.Server(parameters)
print(server.listening_address, flush=True)
signal.pause()
