# A server as the exercise sheet has it: it knows nothing of lines.
import socket

s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.bind(("127.0.0.1", 0))
s.listen(5)
print(s.getsockname()[1], flush=True)
connection, address = s.accept()
print(connection.recv(1024), flush=True)
connection.send(b"OK")
print(connection.recv(1024), flush=True)
connection.close()
