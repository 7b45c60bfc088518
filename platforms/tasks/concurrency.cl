;; The tasks platform as a program likes to see it: one send, one await, one
;; spawn for values of every type.
;;
;;   (import [concurrency [*]])
;;
;; Signatures of a platform have no type variables, so the platform has a
;; function for each element type: send-int, send-string and so on; they are
;; here, too. What follows gives each family of them one name. A family is
;; stated once, with its type, and macros write the rest, by two techniques:
;;
;; - A trait over a type constructor is typed at a call by its declaration,
;;   which may have variables, and the host does not compare the code of an impl
;;   with it. So `send` has the type [(Chan a) a] for callers, though the one
;;   impl behind it calls send-int. That is sound only because a channel knows
;;   its element type itself, and the code behind send-int, send-string and the
;;   others is the same.
;; - Where code must be chosen by a type, a value KindOf, which says nothing but
;;   carries the type, is the argument that a trait is dispatched on. Impls are
;;   found for the type as it is known at the end of the enclosing defn; where
;;   it is not, or has no impl, the host says 'no impl of Family-spawn'. An impl
;;   cannot name a type such as (Vec Int), so for those use the platform's own
;;   spawn-vec-int and so on: send, await and the others take what these return.
;;   The name is a macro's, for a function would ask for the impl at once.
;;
;; Names of functions are known to a whole program, and a lambda takes no
;; variable of such a name along; so what is for this file only has a name that
;; nobody else chooses.
;;
;; If the host one day compares impls with their trait, write the platform's
;; functions with type variables instead.
(platform tasks)
(import [platform.tasks [*] primitives [IO IOVal] macros [*]])
(export [platform.tasks [*]])

(deftype (Chan a) "A channel of values of one type"
  (ChanRef [:Int chan-word]))
(deftype (Task a) "A task that will have a result"
  (TaskRef [:Int task-word]))

(deftype (KindOf a) KindOf)
(deftype (MapOf a b) MapOf)

;; --- how a family gets one name ----------------------------------------------

(defn- family-symbol "Of spawn and int, spawn-int" [left right]
  (match left
    [(SexpSym l)
      (match right
        [(SexpSym r) (SexpSym (str-concat l (str-concat "-" r)))])]))

(defn- family-items "What is in brackets" [brackets]
  (match brackets
    [(SexpBracket xs) xs]))

(defn- family-trait "Its type" [name kind types result]
  `(deftrait (~(family-symbol `Family name) k)
    (~(family-symbol `family name) [~kind ~@(family-items types)] ~result)))

(defn- family-impl "Its code for one kind of value" [name kind suffix params]
  `(impl ~(family-symbol `Family name) ~kind
    (defn ~(family-symbol `family name) [k ~@(family-items params)]
      (~(family-symbol name suffix) ~@(family-items params)))))

(defn- family-macro "Its name, where code is chosen by a type"
  [name doc kind params]
  `(defmacro ~name ~doc ~params
    (SexpList (slist ~(quote-sexp (family-symbol `family name))
                     ~(quote-sexp kind)
                     ~@(family-items params)))))

(defmacro- shared "A family with the same code for every type"
  [name doc params types result]
  `(begin
    ~(family-trait name `(k a) types result)
    ~(family-impl name `KindOf `int params)
    (defn ~name ~doc ~params
      (~(family-symbol `family name) KindOf ~@(family-items params)))))

(defmacro- typed "A family with code for each (KindOf a)"
  [name doc kind params types result]
  (match kind
    [(SexpList ks)
      (match ks
        [(SCons maker vars)
          `(begin
            ~(family-trait name `(k ~@vars) types result)
            ~(family-macro name doc maker params))])]))

;; --- tasks -------------------------------------------------------------------

(typed spawn "Start (fn [] ...), which returns an IO, in a task"
  (KindOf a) [body] [(Fn [] (IO a))] (IO (Task a)))
(shared await "Wait for a task, and take its result"
  [task] [(Task a)] (IO a))
(shared await-for "Wait for so many milliseconds at the most. None: it runs"
  [task ms] [(Task a) Int] (IO (Option a)))
(shared cancel "Ask a task to end: its calls that wait return. 0: it had ended"
  [task] [(Task a)] (IO Int))
(shared task-done "Whether a task has ended"
  [task] [(Task a)] (IO Bool))
(typed scope "Call (fn [] ...), and wait for all tasks that it starts"
  (KindOf a) [body] [(Fn [] (IO a))] (IO a))
(typed scope-for "The same; after so many milliseconds they are canceled"
  (KindOf a) [ms body] [Int (Fn [] (IO a))] (IO a))

;; --- channels ----------------------------------------------------------------

(typed chan "A channel with room for so many values; its use says of what"
  (KindOf a) [size] [Int] (IO (Chan a)))
(typed chan-unbounded "A channel with room for any number of values"
  (KindOf a) [] [] (IO (Chan a)))
(shared send "Send a copy; waits while the channel is full. 1; 0: it is closed"
  [ch v] [(Chan a) a] (IO Int))
(shared try-send "Send without waiting. 1; 0: it is closed; -1: it is full"
  [ch v] [(Chan a) a] (IO Int))
(shared recv "Receive; waits. None: the channel is closed and empty"
  [ch] [(Chan a)] (IO (Option a)))
(shared recv-for "Receive, but wait for so many milliseconds at the most"
  [ch ms] [(Chan a) Int] (IO (Option a)))
(shared try-recv "Receive without waiting. None: there is nothing now"
  [ch] [(Chan a)] (IO (Option a)))
(shared close "Close a channel: what is in it can still be received"
  [ch] [(Chan a)] (IO Int))
(shared select "Receive from whichever channel of a vec has a value first"
  [chans] [(Vec (Chan a))] (IO (Option a)))
(shared select-for "The same, for so many milliseconds at the most"
  [chans ms] [(Vec (Chan a)) Int] (IO (Option a)))
(shared select-with "The same, and call (f place value): its place in the vec"
  [chans f] [(Vec (Chan a)) (Fn [Int a] (IO Int))] (IO Int))

(defn chan-reduce "Join what a channel brings until it is closed: (f acc value)"
  [f acc ch]
  (match (recv ch)
    [(IOVal m)
      (match m
        [None (pure acc)
         (Some v) (chan-reduce f (f acc v) ch)])]))

(defn chan-each "Call (f value), which returns an IO, until a channel is closed"
  [f ch]
  (match (recv ch)
    [(IOVal m)
      (match m
        [None (pure 0)
         (Some v) (match (f v) [(IOVal _) (chan-each f ch)])])]))

(defn- send-from "Send the elements of a vec from a place on" [ch items :Int i]
  (if (>= i (vec-len items))
    (pure i)
    (match (send ch (vec-get items i))
      [(IOVal sent)
        (if (= sent 1) (send-from ch items (+ i 1)) (pure i))])))

(defn send-all "Send all elements of a vec; how many were sent" [ch items]
  (send-from ch items 0))

;; --- in parallel -------------------------------------------------------------

(typed pmap "Apply a function to each element of a vec, in parallel"
  (MapOf a b) [f xs] [(Fn [a] b) (Vec a)] (IO (Vec b)))
(typed pfilter "The elements for which a function is true; it runs in parallel"
  (KindOf a) [f xs] [(Fn [a] Bool) (Vec a)] (IO (Vec a)))
(typed preduce "Join all elements by an associative function and its identity"
  (KindOf a) [f unit xs] [(Fn [a a] a) a (Vec a)] (IO a))

;; --- types that the families are for -----------------------------------------

(defmacro families "The typed families for a type that has no parameters"
  [suffix type]
  `(begin
    ~(family-impl `spawn `(KindOf ~type) suffix `[body])
    ~(family-impl `scope `(KindOf ~type) suffix `[body])
    ~(family-impl `scope-for `(KindOf ~type) suffix `[ms body])
    ~(family-impl `chan `(KindOf ~type) suffix `[size])
    ~(family-impl `chan-unbounded `(KindOf ~type) suffix `[])
    ~(family-impl `pmap `(MapOf ~type ~type) suffix `[f xs])
    ~(family-impl `pfilter `(KindOf ~type) suffix `[f xs])
    ~(family-impl `preduce `(KindOf ~type) suffix `[f unit xs])))

(defmacro family "For the platform, where a file is read for its types: nothing"
  [suffix type]
  `(begin))

(families int Int)
(families float Float)
(families bool Bool)
(families string String)

(defmacro- pmap-between "The map from one type to another" [suffix from to]
  (family-impl `pmap `(MapOf ~from ~to) suffix `[f xs]))

(pmap-between int-to-float Int Float)
(pmap-between int-to-bool Int Bool)
(pmap-between int-to-string Int String)
(pmap-between float-to-int Float Int)
(pmap-between float-to-bool Float Bool)
(pmap-between float-to-string Float String)
(pmap-between bool-to-int Bool Int)
(pmap-between bool-to-float Bool Float)
(pmap-between bool-to-string Bool String)
(pmap-between string-to-int String Int)
(pmap-between string-to-float String Float)
(pmap-between string-to-bool String Bool)

;; --- looking on --------------------------------------------------------------

(shared chan-stats "What chan-counts tells, as a vec"
  [ch] [(Chan a)] (IO (Vec Int)))

(deftype ChanCounts "What happened in a channel; a capacity of -1: unbounded"
  (ChanCounts [:Int chan-depth :Int chan-capacity :Int chan-sent
               :Int chan-received :Int chan-dropped :Int senders-waiting
               :Int receivers-waiting :Bool chan-closed]))

(defn chan-counts "What happened in a channel until now" [ch]
  (match (chan-stats ch)
    [(IOVal v)
      (pure (ChanCounts (vec-get v 0) (vec-get v 1) (vec-get v 2) (vec-get v 3)
                        (vec-get v 4) (vec-get v 5) (vec-get v 6)
                        (= 1 (vec-get v 7))))]))

(deftype TaskCounts "What happened to the tasks; bytes that stay for ever"
  (TaskCounts [:Int task-workers :Int tasks-started :Int tasks-running
               :Int chans-made :Int bytes-kept :Int bytes-left]))

(defn task-counts "What happened to the tasks until now" []
  (match (task-stats)
    [(IOVal v)
      (pure (TaskCounts (vec-get v 0) (vec-get v 1) (vec-get v 2) (vec-get v 3)
                        (vec-get v 4) (vec-get v 5)))]))
