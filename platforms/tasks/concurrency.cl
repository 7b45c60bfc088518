;; The tasks platform as a program likes to see it: channels and tasks that have
;; a type, one send and one await for all of them.
;;
;;   (import [concurrency [*]])
;;
;; Signatures of a platform have no type variables, so the platform has a function
;; for each element type: send-int, send-string and so on; they are here, too.
;; What follows gives them one name, by two techniques:
;;
;; - A trait over a type constructor is typed at a call by its declaration, which
;;   may have variables, and the host does not compare the code of an impl with
;;   it. So send-on has the type [(Chan a) a] for callers, though its one impl
;;   calls send-int. That is sound only because a channel knows its element type
;;   itself, and the code behind send-int, send-string and the others is the same.
;; - Where code must be chosen by a type, a value KindOf, which says nothing but
;;   carries the type, is the argument that a trait is dispatched on. Impls are
;;   found for the type as it is known at the end of the enclosing defn. A macro
;;   passes KindOf. There are impls for scalars; an impl cannot name a type such
;;   as (Vec Int), so for those use the platform's own spawn-vec-int and so on:
;;   send, recv, close and await take what these return.
;;
;; If the host one day checks impls against their trait, write the platform's
;; functions with type variables instead.
(platform tasks)
(import [platform.tasks [*] primitives [IO IOVal]])
(export [platform.tasks [*]])

(deftype (Chan a) "A channel of values of one type"
  (ChanRef [:Int chan-word]))
(deftype (Task a) "A task that will have a result"
  (TaskRef [:Int task-word]))

(deftype (KindOf a) KindOf)
(deftype (MapOf a b) MapOf)

;; --- one code for all types ---------------------------------------------------

(deftrait (Handles k) "What channels and tasks of every type can"
  (send-on [(k a) (Chan a) a] (IO Int))
  (recv-on [(k a) (Chan a)] (IO (Option a)))
  (close-on [(k a) (Chan a)] (IO Int))
  (await-on [(k a) (Task a)] (IO a)))

(impl Handles KindOf
  (defn send-on [k ch v] (send-int ch v))
  (defn recv-on [k ch] (recv-int ch))
  (defn close-on [k ch] (close-int ch))
  (defn await-on [k task] (await-int task)))

(defn send "Send a copy of a value; waits while the channel is full" [ch v]
  (send-on KindOf ch v))
(defn recv "Receive; waits, and is None when the channel is closed and empty" [ch]
  (recv-on KindOf ch))
(defn close "Close a channel: what is in it can still be received" [ch]
  (close-on KindOf ch))
(defn await "Wait for a task, and take its result" [task]
  (await-on KindOf task))

;; --- code by the element type -------------------------------------------------

(deftrait (Elements k) "What is made for one type"
  (spawn-as [(k a) (Fn [] (IO a))] (IO (Task a)))
  (chan-as [(k a) Int] (IO (Chan a))))

(impl Elements (KindOf Int)
  (defn spawn-as [k body] (spawn-int body))
  (defn chan-as [k size] (chan-int size)))

(impl Elements (KindOf Float)
  (defn spawn-as [k body] (spawn-float body))
  (defn chan-as [k size] (chan-float size)))

(impl Elements (KindOf Bool)
  (defn spawn-as [k body] (spawn-bool body))
  (defn chan-as [k size] (chan-bool size)))

(impl Elements (KindOf String)
  (defn spawn-as [k body] (spawn-string body))
  (defn chan-as [k size] (chan-string size)))

(deftrait (Maps m) "A parallel map from one type to another"
  (pmap-as [(m a b) (Fn [a] b) (Vec a)] (IO (Vec b))))

(impl Maps (MapOf Int Int)
  (defn pmap-as [m f xs] (pmap-int f xs)))
(impl Maps (MapOf Int Float)
  (defn pmap-as [m f xs] (pmap-int-to-float f xs)))
(impl Maps (MapOf Int Bool)
  (defn pmap-as [m f xs] (pmap-int-to-bool f xs)))
(impl Maps (MapOf Int String)
  (defn pmap-as [m f xs] (pmap-int-to-string f xs)))
(impl Maps (MapOf Float Int)
  (defn pmap-as [m f xs] (pmap-float-to-int f xs)))
(impl Maps (MapOf Float Float)
  (defn pmap-as [m f xs] (pmap-float f xs)))
(impl Maps (MapOf Float Bool)
  (defn pmap-as [m f xs] (pmap-float-to-bool f xs)))
(impl Maps (MapOf Float String)
  (defn pmap-as [m f xs] (pmap-float-to-string f xs)))
(impl Maps (MapOf Bool Int)
  (defn pmap-as [m f xs] (pmap-bool-to-int f xs)))
(impl Maps (MapOf Bool Float)
  (defn pmap-as [m f xs] (pmap-bool-to-float f xs)))
(impl Maps (MapOf Bool Bool)
  (defn pmap-as [m f xs] (pmap-bool f xs)))
(impl Maps (MapOf Bool String)
  (defn pmap-as [m f xs] (pmap-bool-to-string f xs)))
(impl Maps (MapOf String Int)
  (defn pmap-as [m f xs] (pmap-string-to-int f xs)))
(impl Maps (MapOf String Float)
  (defn pmap-as [m f xs] (pmap-string-to-float f xs)))
(impl Maps (MapOf String Bool)
  (defn pmap-as [m f xs] (pmap-string-to-bool f xs)))
(impl Maps (MapOf String String)
  (defn pmap-as [m f xs] (pmap-string f xs)))

(defmacro spawn "Start (fn [] ...), which returns an IO, in a task" [body]
  `(spawn-as KindOf ~body))
(defmacro chan "A channel with room for so many; its use says of what" [size]
  `(chan-as KindOf ~size))
(defmacro pmap "Apply a function to each element of a vec, in parallel" [f xs]
  `(pmap-as MapOf ~f ~xs))
