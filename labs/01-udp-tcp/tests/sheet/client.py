# A client as the exercise sheet has it: it knows nothing of lines.
import socket
import sys

s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
s.connect((sys.argv[1], int(sys.argv[2])))
for message in sys.argv[3:]:
    s.send(message.encode())
    print(s.recv(1024))
s.close()
