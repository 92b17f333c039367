/* Lab 04 for SPIN: a coordinator and CLIENTS clients, each of which enters ENTRIES times. What a process does at one
 * event is one d_step, as in `check`; a client's work and its rest are events of their own. */
#ifndef CLIENTS
#define CLIENTS 2
#endif
#ifndef ENTRIES
#define ENTRIES 2
#endif
#define NOBODY 255
#define DONE 255

mtype = { REQUEST, RELEASE };

chan asks[CLIENTS] = [2] of { mtype, byte };
chan grants[CLIENTS] = [1] of { byte, byte };
byte inside; /* how many clients are: for the assertion */

inline let_in() {
    if
    :: holder == NOBODY && length > 0 ->
        holder = line[0]; ask = asked[0];
        i = 1;
        do
        :: i < length -> line[i - 1] = line[i]; asked[i - 1] = asked[i]; i++
        :: else -> break
        od;
        length--; line[length] = 0; asked[length] = 0;
        token++;
        grants[holder]!ask, token
    :: else
    fi;
    i = 0; ask = 0
}

#define HEAR(c) \
    :: d_step { asks[c]?REQUEST, ask -> line[length] = c; asked[length] = ask; length++; let_in() } \
    :: d_step { asks[c]?RELEASE, ask -> \
         if :: holder == c && ask == token -> holder = NOBODY; let_in() :: else -> ask = 0 fi }

proctype coordinator() {
    byte line[CLIENTS]; byte asked[CLIENTS]; byte length; byte holder = NOBODY; byte token; byte ask; byte i;
end:
    do
    HEAR(0)
#if CLIENTS > 1
    HEAR(1)
#endif
#if CLIENTS > 2
    HEAR(2)
#endif
#if CLIENTS > 3
    HEAR(3)
#endif
#if CLIENTS > 4
    HEAR(4)
#endif
#if CLIENTS > 5
    HEAR(5)
#endif
#if CLIENTS > 6
    HEAR(6)
#endif
#if CLIENTS > 7
    HEAR(7)
#endif
    od
}

proctype client(byte me; chan out; chan in) {
    byte left = ENTRIES; byte asked = 1; byte ask; byte token;
    xs out;
    xr in;
end:
    do
    :: d_step { in?ask, token -> inside++; assert(inside == 1) };
       d_step { inside--; left--; out!RELEASE, token; ask = 0;
                if :: left > 0 -> asked++; out!REQUEST, asked :: else fi }
    :: d_step { left == 0 -> left = DONE } /* the rest is over */
    od
}

init {
    byte c;
    atomic {
        run coordinator();
        do
        :: c < CLIENTS -> asks[c]!REQUEST, 1; run client(c, asks[c], grants[c]); c++
        :: else -> break
        od
    }
}
