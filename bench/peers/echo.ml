(* SPDX-License-Identifier: MIT *)
(* An echo server beside threads that compute; what it does exactly is in README.md. *)

(* The native code of OCaml 4.13 and earlier can switch threads only where it allocates, and so a
   loop of plain arithmetic would never let anybody in: each thousand steps allocate once. *)
let hog counts index =
  let x = ref index in
  while true do
    for _ = 1 to 1000 do
      x := (!x * 1103515245 + 12345) land 0x7FFFFFFF
    done;
    ignore (Sys.opaque_identity (ref !x));
    counts.(index) <- counts.(index) + 1
  done

let rec send connection bytes from length =
  if length > 0 then
    let sent = Unix.write connection bytes from length in
    send connection bytes (from + sent) (length - sent)

let echo connection =
  Unix.setsockopt connection Unix.TCP_NODELAY true;
  let bytes = Bytes.create 64 in
  let rec answer () =
    let received = Unix.read connection bytes 0 64 in
    if received > 0 then begin
      send connection bytes 0 received;
      answer ()
    end
  in
  answer ()

let serve listener =
  while true do
    let connection, _ = Unix.accept listener in
    (try echo connection with Unix.Unix_error _ -> () (* the client has gone *));
    Unix.close connection
  done

let port_of socket =
  match Unix.getsockname socket with Unix.ADDR_INET (_, port) -> port | Unix.ADDR_UNIX _ -> 0

let () =
  Sys.set_signal Sys.sigpipe Sys.Signal_ignore;
  let counts = Array.make (int_of_string Sys.argv.(1)) 0 in
  let listener = Unix.socket Unix.PF_INET Unix.SOCK_STREAM 0 in
  Unix.bind listener (Unix.ADDR_INET (Unix.inet_addr_loopback, 0));
  Unix.listen listener 1;
  Printf.printf "%d\n%!" (port_of listener);
  ignore (Thread.create serve listener);
  Array.iteri (fun index _ -> ignore (Thread.create (hog counts) index)) counts;
  try
    while true do
      ignore (read_line ());
      Printf.printf "%d %.6f\n%!" (Array.fold_left ( + ) 0 counts) (Unix.gettimeofday ())
    done
  with End_of_file -> exit 0
